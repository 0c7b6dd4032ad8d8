// Share groups: records are locked one by one, and are accepted, released, rejected or renewed.
import { setTimeout as pause } from 'node:timers/promises'
import { KafkaError, serde, type Acknowledgement, type ShareConsumer, type ShareRecord } from '@millrace/client'
import { expectEqual, expectSameItems, expectTrue } from '@millrace/interop/checking'
import { IncrementalAlterConfigs, ShareFetch } from '@millrace/protocol'
import type { Bench } from '../bench.ts'
import { section } from '../check.ts'
import { numbers } from '../reading.ts'

export const { checks, check } = section('sharing', { needs: [{ api: ShareFetch }, { api: IncrementalAlterConfigs }] })

type Reader = ShareConsumer<Uint8Array, string>

/** Longer than a busy machine may hold a member up. */
const longLockMs = 60_000

/** A topic of `count` records, and a group that begins with the first of them. `lockMs`: how long a record stays with who has it. */
async function scene(bench: Bench, { count = 50, partitions = 1, lockMs = longLockMs } = {}) {
  const topic = await bench.topic({ partitions })
  const groupId = bench.name()
  const kafka = bench.kafka()
  const admin = bench.use(kafka.admin())
  const configure = (set: Record<string, string | number>) =>
    admin.incrementalAlterConfigs([{ type: 'GROUP', name: groupId, set }])
  await configure({ 'share.auto.offset.reset': 'earliest', 'share.record.lock.duration.ms': lockMs })
  const producer = bench.use(kafka.producer({ topic, value: serde.string }))
  await producer.sendAll(numbers(count).map((value, at) => ({ value, partition: at % partitions })))
  const open = (options: Parameters<typeof kafka.shareConsumer<Uint8Array, string>>[0] | object = {}): Reader =>
    bench.use(kafka.shareConsumer({ groupId, topics: [topic], fetchMaxWaitMs: 100, ...options, value: serde.string }))
  return {
    open,
    /** For locks that begin from now on. */
    lockFor: (durationMs: number) => configure({ 'share.record.lock.duration.ms': durationMs }),
    write: (value: string) => producer.send({ value, partition: 0 }),
  }
}

async function take(consumer: Reader, count: number, signal: AbortSignal): Promise<ShareRecord<Uint8Array, string>[]> {
  const records: ShareRecord<Uint8Array, string>[] = []
  for await (const record of consumer.records({ signal })) {
    records.push(record)
    if (records.length === count) return records
  }
  throw new Error(`reading ended after ${records.length} of ${count} records`)
}

const valuesIn = (records: readonly { readonly value: string | null }[]) => records.map(({ value }) => value)

check('every record once, accepted when the next is asked for', async (bench) => {
  const { open, write } = await scene(bench)
  const consumer = open()
  const records = await take(consumer, 50, bench.signal)
  expectEqual(valuesIn(records), numbers(50), 'values')
  consumer.acknowledge(records.at(-1)!)
  for (const { error } of await consumer.commit()) if (error !== null) throw error
  await consumer.close()
  // Whatever is left of the others comes before it.
  await write('another')
  expectEqual(valuesIn(await take(open(), 1, bench.signal)), ['another'], 'what came then')
})

check('members share the records of one partition', async (bench) => {
  const { open, write } = await scene(bench, { count: 200 })
  const members = [open({ maxPollRecords: 10 }), open({ maxPollRecords: 10 })]
  const done = new AbortController()
  const signal = AbortSignal.any([done.signal, bench.signal])
  const seen: (string | null)[][] = [[], []]
  const running = Promise.all(
    members.map((member, at) =>
      member.run({
        signal,
        eachRecord: async ({ value }) => {
          seen[at]!.push(value)
          await pause(2)
        },
      }),
    ),
  )
  let written = 200
  // Who comes first may have them all.
  while (seen.some(({ length }) => length === 0) && !signal.aborted) {
    await write(String(written++))
    await pause(20)
  }
  while (seen.flat().length < written && !signal.aborted) await pause(20)
  done.abort()
  await running
  expectSameItems(seen.flat(), numbers(written), 'values of both')
  return seen.map(({ length }) => length).join(' and ')
})

check('released records come again and are counted, rejected ones do not', async (bench) => {
  const { open, write } = await scene(bench, { count: 3 })
  const consumer = open({ shareAcknowledgementMode: 'explicit' })
  const fates: Record<string, Acknowledgement> = { '0': 'accept', '1': 'release', '2': 'reject' }
  let handled = 0
  for await (const record of consumer.records({ signal: bench.signal })) {
    expectEqual(record.deliveryCount, 1, 'delivery count')
    consumer.acknowledge(record, fates[record.value!]!)
    if (++handled === 3) break
  }
  for (const { error } of await consumer.commit()) if (error !== null) throw error
  const [again] = await take(consumer, 1, bench.signal)
  expectEqual([again!.value, again!.deliveryCount], ['1', 2], 'what came again')
  consumer.acknowledge(again!, 'accept')
  await consumer.commit()
  // Whatever is left of the others comes before it.
  await write('another')
  expectEqual(valuesIn(await take(consumer, 1, bench.signal)), ['another'], 'what came then')
})

check('a lock that ends gives the record to others, and the late acknowledgement is refused', async (bench) => {
  const { open, lockFor } = await scene(bench, { count: 1, lockMs: 3000 })
  const slow = open({ shareAcknowledgementMode: 'explicit' })
  const [record] = await take(slow, 1, bench.signal)
  await lockFor(longLockMs)
  const other = open({ shareAcknowledgementMode: 'explicit' })
  const [again] = await take(other, 1, bench.signal)
  expectEqual([again!.value, again!.deliveryCount], ['0', record!.deliveryCount + 1], 'what the other got')
  slow.acknowledge(record!, 'accept')
  const [result] = await slow.commit()
  expectTrue(result!.error instanceof KafkaError, 'the late acknowledgement was taken')
  other.acknowledge(again!, 'accept')
  await other.commit()
  return result!.error!.message
})

check(
  'a renewed lock does not end',
  async (bench) => {
    const lockMs = 8000
    const { open, lockFor } = await scene(bench, { count: 1, lockMs })
    const slow = open({ shareAcknowledgementMode: 'explicit' })
    const [record] = await take(slow, 1, bench.signal)
    const atMs = performance.now()
    expectEqual(slow.acquisitionLockTimeoutMs, lockMs, 'the lock')
    await lockFor(longLockMs)
    // Brokers hear of settings a little later than who changes them.
    while (slow.acquisitionLockTimeoutMs !== longLockMs) await slow.renew([record!])
    await slow.renew([record!])
    const other = open({ shareAcknowledgementMode: 'explicit' })
    const done = new AbortController()
    const intruders: unknown[] = []
    const watching = (async () => {
      const signal = AbortSignal.any([done.signal, bench.signal])
      for await (const { value } of other.records({ signal })) intruders.push(value)
    })()
    // The lock would have ended, and the other, who waits for records, would have it.
    await pause(atMs + lockMs + 1000 - performance.now())
    slow.acknowledge(record!, 'accept')
    const [result] = await slow.commit()
    expectEqual(result!.error, null, 'the acknowledgement')
    done.abort()
    await watching
    expectEqual(intruders, [], 'what others got meanwhile')
  },
  { needs: [{ api: ShareFetch, version: 2 }] },
)

check('a handler that throws releases its record', async (bench) => {
  const { open } = await scene(bench, { count: 10 })
  const consumer = open()
  const done = new AbortController()
  const counts = new Map<string, number>()
  let handled = 0
  await consumer.run({
    concurrency: 4,
    signal: AbortSignal.any([done.signal, bench.signal]),
    eachRecord: ({ value, deliveryCount }) => {
      counts.set(value!, deliveryCount)
      if (value === '5' && deliveryCount < 3) throw new Error('not yet')
      if (++handled === 10) done.abort()
    },
  })
  expectEqual(counts.get('5'), 3, 'deliveries of the record that was refused')
  expectEqual(counts.size, 10, 'records')
})
