import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startBroker } from 'millrace'
import { Kafka, serde, type Consumer, type ConsumerOptions } from '../index.ts'

const partitions = 6

async function scene(count: number) {
  const broker = await startBroker({
    configs: {
      'group.initial.rebalance.delay.ms': 0,
      'group.consumer.min.heartbeat.interval.ms': 50,
      'group.consumer.heartbeat.interval.ms': 100,
      'num.partitions': partitions,
    },
  })
  const kafka = new Kafka({ brokers: broker.bootstrapServers })
  await using producer = kafka.producer({ topic: 't', value: serde.string })
  const write = (from: number) =>
    producer.sendAll(
      Array.from({ length: count }, (_, at) => ({ value: String(from + at), partition: at % partitions })),
    )
  await write(0)
  const open = (options: ConsumerOptions<Uint8Array, string> = {}): Consumer<Uint8Array, string> =>
    kafka.consumer({
      groupId: 'g',
      topics: ['t'],
      offsetReset: 'earliest',
      ...(options.groupProtocol === 'consumer' ? {} : { heartbeatIntervalMs: 100 }),
      fetchMaxWaitMs: 50,
      ...options,
      value: serde.string,
    })
  return { kafka, open, [Symbol.asyncDispose]: () => broker.close() }
}

for (const groupProtocol of ['classic', 'consumer'] as const) {
  test(`${groupProtocol}: a partition that comes back is read from what was committed, not from where it was left`, async () => {
    await using place = await scene(60)
    // It never commits, so everything it has read and given up must be read again, by whoever gets it.
    await using first = place.open({ groupProtocol, enableAutoCommit: false })
    const seen = new Map<string, number>()
    let other: Consumer<Uint8Array, string> | null = null
    let reading: Promise<void> | null = null
    const readOther = async (consumer: Consumer<Uint8Array, string>) => {
      for await (const { partition } of consumer) if (partition >= 0) break
    }
    for await (const { value } of first) {
      seen.set(value!, (seen.get(value!) ?? 0) + 1)
      if (seen.size === 60 && other === null) {
        other = place.open({ groupProtocol, enableAutoCommit: false })
        reading = readOther(other).then(() => other!.close())
      }
      if ([...seen.values()].filter((times) => times >= 2).length >= 10) break
    }
    await reading
    const again = [...seen].filter(([, times]) => times >= 2).map(([value]) => Number(value) % partitions)
    // Partitions that it had given up came back whole: each of them from its first record.
    assert.ok(again.length >= 10, `${again.length} records came again`)
  })

  test(`${groupProtocol}: closing while joining, and right after, hangs nowhere`, async () => {
    await using place = await scene(6)
    for (let round = 0; round < 6; round++) {
      const consumers = [0, 1, 2].map(() => place.open({ groupProtocol }))
      const readings = consumers.map(async (consumer) => {
        for await (const { value } of consumer) assert.ok(value !== null)
      })
      await new Promise((resolve) => setTimeout(resolve, round * 15))
      await Promise.all(consumers.map((consumer) => consumer.close()))
      await Promise.all(readings)
    }
  })

  test(`${groupProtocol}: members that come and go lose no record that was committed for`, async () => {
    await using place = await scene(600)
    const handled = new Map<string, number>()
    const member = async (limit: number) => {
      await using consumer = place.open({ groupProtocol, enableAutoCommit: false, maxPollRecords: 7 })
      let own = 0
      for await (const batch of consumer.batches({ signal: AbortSignal.timeout(20_000) })) {
        const values = [...batch].map(({ value }) => value!)
        try {
          await consumer.commit(batch)
        } catch {
          // The partition was taken away: whoever has it reads these again.
          continue
        }
        for (const value of values) handled.set(value, (handled.get(value) ?? 0) + 1)
        own += values.length
        if (own >= limit || handled.size === 600) break
      }
    }
    let begun = 0
    const keepGoing = async () => {
      while (handled.size < 600) {
        if (++begun > 100) throw new Error(`only ${handled.size} of 600 were handled`)
        await member(60)
      }
    }
    await Promise.all([keepGoing(), keepGoing(), keepGoing()])
    assert.equal(handled.size, 600)
    const twice = [...handled.values()].filter((times) => times > 1)
    assert.equal(twice.length, 0, `${twice.length} records were committed by two members`)
  })

  test(`${groupProtocol}: subscribing anew while a rebalance is under way ends at the last subscription`, async () => {
    await using place = await scene(6)
    await using producer = place.kafka.producer({ value: serde.string })
    await producer.sendAll(['a', 'b', 'c'].map((topic) => ({ topic, value: topic })))
    await using consumer = place.open({ groupProtocol, topics: ['a'] })
    const seen: (string | null)[] = []
    const stop = AbortSignal.timeout(20_000)
    const reading = (async () => {
      for await (const { value } of consumer.records({ signal: stop })) {
        seen.push(value)
        if (value === 'c') break
      }
    })()
    for (const topic of ['b', 'a', 'b', 'c']) {
      consumer.subscribe([topic])
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    await reading
    assert.equal(seen.at(-1), 'c')
    assert.deepEqual(consumer.subscription(), ['c'])
    assert.ok(consumer.assignment().every(({ topic }) => topic === 'c'))
  })
}
