/** Whatever the application's functions throw, the one who waits is told, others are not disturbed, and no rejection is left unhandled: Node's
 * test runner would fail on one. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startBroker } from 'millrace'
import { Kafka, serde } from '../index.ts'

const boom = new Error('boom')
const explode = () => {
  throw boom
}

async function scene() {
  const broker = await startBroker({ configs: { 'group.initial.rebalance.delay.ms': 0 } })
  const kafka = new Kafka({ brokers: broker.bootstrapServers })
  await using producer = kafka.producer({ topic: 't', value: serde.string })
  await producer.sendAll(['0', '1', '2'].map((value) => ({ value })))
  return { kafka, [Symbol.asyncDispose]: () => broker.close() }
}

test('interceptors that throw are passed over', async () => {
  await using place = await scene()
  const interceptors = [{ onSend: explode, onAcknowledgement: explode, onConsume: explode, onCommit: explode }]
  await using producer = place.kafka.producer({ topic: 't', value: serde.string, interceptors })
  assert.equal((await producer.send({ value: '3' })).offset, 3n)
  await using consumer = place.kafka.consumer({
    groupId: 'g',
    topics: ['t'],
    value: serde.string,
    offsetReset: 'earliest',
    interceptors,
  })
  const values: (string | null)[] = []
  for await (const { value } of consumer) if (values.push(value) === 4) break
  await consumer.commit()
  assert.deepEqual(values, ['0', '1', '2', '3'])
})

test('a serializer or partitioner that throws fails its send and no other', async () => {
  await using place = await scene()
  const value = { serialize: (text: string) => (text === 'bad' ? explode() : Buffer.from(text)) }
  await using producer = place.kafka.producer({ topic: 't', value })
  const outcomes = await Promise.allSettled(['a', 'bad', 'b'].map((text) => producer.send({ value: text })))
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  )
  await using lost = place.kafka.producer({ topic: 't', value: serde.string, partitioner: explode })
  await assert.rejects(lost.send({ value: 'x' }))
  assert.equal((await lost.send({ value: 'x', partition: 0 })).partition, 0)
})

test('a record that cannot be decoded throws where it is used, and can be passed over', async () => {
  await using place = await scene()
  await using consumer = place.kafka.consumer({
    value: {
      deserialize: (bytes) => (Buffer.from(bytes).toString() === '1' ? explode() : Buffer.from(bytes).toString()),
    },
    offsetReset: 'earliest',
  })
  consumer.assign([{ topic: 't', partition: 0 }])
  const values: string[] = []
  for await (const record of consumer) {
    try {
      values.push(record.value ?? '')
    } catch {
      values.push(`undecodable: ${String(record.rawValue)}`)
    }
    if (values.length === 3) break
  }
  assert.equal(values[0], '0')
  assert.match(values[1]!, /^undecodable/)
  assert.equal(values[2], '2')
})

for (const protocol of ['classic', 'consumer'] as const)
  test(`a rebalance listener that throws ends the consumer with its error: ${protocol}`, async () => {
    await using place = await scene()
    const consumer = place.kafka.consumer({
      groupId: 'g',
      topics: ['t'],
      groupProtocol: protocol,
      offsetReset: 'earliest',
      onRebalance: { onAssigned: explode },
    })
    await assert.rejects(
      async () => {
        for await (const record of consumer) assert.fail(`record ${record.offset} was handed out`)
      },
      (error: Error) => error === boom || error.cause === boom,
    )
    await consumer.close()
    await using other = place.kafka.consumer({
      groupId: 'g',
      topics: ['t'],
      offsetReset: 'earliest',
      groupProtocol: protocol,
    })
    for await (const { offset } of other) {
      assert.equal(offset, 0n)
      break
    }
  })

test('onError that throws harms nobody', async () => {
  await using place = await scene()
  await using producer = place.kafka.producer({
    value: serde.string,
    onError: explode,
    maxBlockMs: 200,
    allowAutoCreateTopics: false,
  })
  producer.sendAndForget({ topic: 'absent', value: 'x' })
  await producer.flush()
  producer.sendAndForget({ topic: 't', value: 'x' })
  await producer.flush()
})
