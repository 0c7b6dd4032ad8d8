// The way to the cluster, when part of it is broken.
import { KafkaError, serde } from '@millrace/client'
import { expectEqual, expectTrue } from '@millrace/interop/checking'
import { freePorts } from '@millrace/interop/brokers'
import { section } from '../check.ts'
import { take } from '../reading.ts'

export const { checks, check } = section('connecting')

check('dead hosts among the brokers to ask first', async (bench) => {
  const dead = (await freePorts(3)).map((port) => `127.0.0.1:${port}`)
  const brokers = [...dead, 'no-such-host.invalid:9092', ...bench.bootstrap.split(',')]
  const topic = await bench.topic()
  const kafka = bench.kafka({ brokers })
  await using producer = kafka.producer({ topic, value: serde.string })
  await producer.send({ value: 'x' })
  await using consumer = kafka.consumer({ value: serde.string, offsetReset: 'earliest' })
  consumer.assign([{ topic, partition: 0 }])
  expectEqual((await take(consumer, 1, bench.signal))[0]!.value, 'x', 'value')
})

check('only dead hosts: an error that names them, in time', async (bench) => {
  const brokers = (await freePorts(2)).map((port) => `127.0.0.1:${port}`)
  const producer = bench.use(bench.kafka({ brokers }).producer({ value: serde.string, maxBlockMs: 1500 }))
  const startedMs = performance.now()
  const outcome = await producer.send({ topic: 'x', value: 'x' }).catch((error: unknown) => error)
  const tookMs = performance.now() - startedMs
  expectTrue(outcome instanceof KafkaError, `it came to ${String(outcome)}`)
  expectTrue(tookMs < 6000, `it took ${tookMs} ms`)
  return (outcome as KafkaError).message
})

check(
  'one client goes on when its broker was down for a while',
  async (bench) => {
    const topic = await bench.topic()
    const kafka = bench.kafka()
    const producer = bench.use(kafka.producer({ topic, value: serde.string }))
    const consumer = bench.use(
      kafka.consumer({ groupId: bench.name(), topics: [topic], value: serde.string, offsetReset: 'earliest' }),
    )
    await producer.send({ value: 'before' })
    await take(consumer, 1, bench.signal)
    const reading = take(consumer, 1, bench.signal)
    reading.catch(() => {})
    await bench.testbed.restart(2500)
    await producer.send({ value: 'after' })
    expectEqual((await reading)[0]!.value, 'after', 'value')
  },
  { runsAlone: true, needsOneBroker: true, timeoutMs: 240_000 },
)
