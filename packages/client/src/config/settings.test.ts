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
    /requestTimeoutMs expects a whole number from 1 to 2147483647 \(milliseconds\), but got "5"/,
  )
})

test('a number is told as it is, also one that JSON cannot write', () => {
  for (const value of [NaN, Infinity, -1, 2 ** 31])
    assert.throws(() => settings({ brokers: 'a:1', requestTimeoutMs: value }), new RegExp(`but got ${value}$`))
})

test('what is no object holds no options', () => {
  for (const input of [null, undefined, 'localhost:9092', 5, []])
    assert.throws(() => settings(input as unknown as Record<string, unknown>), {
      name: 'TypeError',
      message: /^new Kafka\(\): expects an object with options, but got /,
    })
})

test('a logger without one of its methods is refused', () => {
  assert.throws(() => settings({ brokers: 'a:1', logger: { child: () => {} } }), /logger expects a logger with debug/)
})

const password = 'open sesame'
for (const [name, wrong, message] of [
  [
    'sasl',
    { mechanism: 'plain', username: 'u', password },
    /sasl\.mechanism expects one of PLAIN.*; did you mean PLAIN\?$/,
  ],
  [
    'sasl',
    { mechanism: 'PLAIN', username: 'u', pasword: password },
    /no option sasl\.pasword; did you mean sasl\.password\?$/,
  ],
  ['sasl', { mechanism: 'SCRAM-SHA-256', username: 5, password }, /sasl\.username expects a text, but got a number$/],
  ['sasl', { mechanism: 'SCRAM-SHA-256', password }, /sasl\.username is missing; it expects a text$/],
  [
    'sasl',
    { mechanism: 'OAUTHBEARER', token: password },
    /sasl\.token expects a function that gives tokens, but got a string$/,
  ],
  ['sasl', `PLAIN u ${password}`, /sasl expects an object with a mechanism, or null, but got a string$/],
  ['ssl', password, /ssl expects true, false, or an object with certificates, but got a string$/],
  ['ssl', { cert: password }, /no option ssl\.cert; did you mean ssl\.certificate\?$/],
  ['ssl', { rejectUnauthorized: false }, /no option ssl\.rejectUnauthorized$/],
  ['ssl', { verify: 'false' }, /ssl\.verify expects true or false, but got a string$/],
] as const) {
  test(`what is wrong with ${name} is told without its secrets: ${message.source}`, () => {
    assert.throws(
      () => settings({ brokers: 'a:1', [name]: wrong }),
      (error: Error) => {
        assert.match(error.message, message)
        assert.ok(!error.message.includes(password))
        return error instanceof TypeError
      },
    )
  })
}

test('all mechanisms, and certificates as texts or bytes, are taken', () => {
  const user = { username: 'u', password }
  for (const sasl of [
    null,
    { mechanism: 'PLAIN', ...user },
    { mechanism: 'SCRAM-SHA-512', ...user, delegationToken: true },
    { mechanism: 'OAUTHBEARER', token: async () => ({ value: password }) },
  ])
    assert.equal(settings({ brokers: 'a:1', sasl }).sasl, sasl)
  for (const ssl of [
    true,
    {},
    { ca: 'x', key: Buffer.from('x'), certificate: ['x'], passphrase: undefined, verify: false },
  ])
    assert.equal(settings({ brokers: 'a:1', ssl }).ssl, ssl)
})
