import assert from 'node:assert/strict'
import { test } from 'node:test'
import { kafkaOptions } from './client-options.ts'
import { settingsFrom } from './settings.ts'

const place = 'new Kafka()'
const settings = (input: Record<string, unknown>) => settingsFrom(kafkaOptions, input, place)

test('options left out, or undefined, have their defaults', () => {
  const { requestTimeoutMs, clientId, brokers } = settings({ brokers: 'localhost:9092', clientId: undefined })
  assert.deepEqual(
    { requestTimeoutMs, clientId, brokers },
    { requestTimeoutMs: 30_000, clientId: 'millrace', brokers: 'localhost:9092' },
  )
})

for (const [written, meant] of [
  ['clientID', 'clientId'],
  ['client.id', 'clientId'],
  ['request.timeout.ms', 'requestTimeoutMs'],
  ['requestTimeout', 'requestTimeoutMs'],
  ['broker', 'brokers'],
  ['bootstrap.servers', 'bootstrapServers'],
  ['retryBackofMs', 'retryBackoffMs'],
] as const) {
  test(`an unknown option ${written} leads to ${meant}`, () => {
    assert.throws(() => settings({ brokers: 'a:1', [written]: 'x' }), {
      name: 'TypeError',
      message: `new Kafka(): there is no option ${written}; did you mean ${meant}?`,
    })
  })
}

test('an option like none is refused without a suggestion', () => {
  assert.throws(() => settings({ brokers: 'a:1', colour: 'red' }), {
    message: 'new Kafka(): there is no option colour',
  })
})

test("Kafka's own name does as well, but not both", () => {
  assert.equal(settings({ bootstrapServers: 'a:1' }).brokers, 'a:1')
  assert.throws(() => settings({ bootstrapServers: 'a:1', brokers: 'b:1' }), /brokers is given twice/)
})

test('a missing or wrong value is told with what was expected', () => {
  assert.throws(() => settings({}), {
    message: 'new Kafka(): brokers is missing; it expects "host:port", or a list of them',
  })
  assert.throws(() => settings({ brokers: [] }), /brokers expects .* but got \[\]/)
  assert.throws(
    () => settings({ brokers: 'a:1', requestTimeoutMs: '5' }),
    /requestTimeoutMs expects a whole number from 1 up \(milliseconds\), but got "5"/,
  )
  assert.throws(() => settings({ brokers: 'a:1', sasl: { mechanism: 'plain' } }), /sasl expects/)
})
