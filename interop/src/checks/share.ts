// Share groups with the Java client: every acknowledgement, locks that expire, a crash.
import { setTimeout as delay } from 'node:timers/promises'
import { java } from '../clients/java.ts'
import type { Process } from '../clients/foreign-client.ts'
import { expectEqual, expectTrue } from '../expect.ts'
import type { Context } from './context.ts'
import { eventually } from './eventually.ts'
import type { Observer } from './observer.ts'

const topic = 'share'
const group = 'share-group'
const count = 20
const lockMs = 6000
/** group.share.delivery.count.limit */
const deliveryLimit = 5

/** [partition, offset, value, delivery count] */
type Delivered = readonly [number, number, string, number]
type Verdict = 'ACCEPT' | 'RELEASE' | 'REJECT' | 'RENEW'

class ShareConsumer {
  readonly process: Process
  constructor(bootstrap: string) {
    this.process = java.open(bootstrap)
  }

  async join(): Promise<void> {
    await this.process.call('shareJoin', { group, topic, mode: 'explicit' })
  }

  /** Polls until something comes. */
  async poll(): Promise<Delivered[]> {
    for (const deadline = performance.now() + 20_000; performance.now() < deadline;) {
      const records = (await this.process.call('sharePoll', { timeoutMs: 200 })) as Delivered[]
      if (records.length > 0) return records
    }
    throw new Error('nothing came in 20 s')
  }

  async expectNothing(): Promise<void> {
    for (let polls = 0; polls < 5; polls++) {
      const records = (await this.process.call('sharePoll', { timeoutMs: 100 })) as Delivered[]
      expectEqual(offsetsOf(records), [], 'offsets')
    }
  }

  async acknowledge(records: readonly Delivered[], verdict: (offset: number) => Verdict): Promise<void> {
    const acknowledgements = records.map(([partition, offset]) => [partition, offset, verdict(offset)])
    const outcome = await this.process.call('shareAcknowledge', { acknowledgements })
    expectEqual(outcome, { '0': 'ok' }, 'acknowledgement')
  }
}

const offsetsOf = (records: readonly Delivered[]) => records.map(([, offset]) => offset)
const countsOf = (records: readonly Delivered[]) => [...new Set(records.map(([, , , deliveries]) => deliveries))]

export async function checkShareGroups({ broker, report }: Context, observer: Observer): Promise<void> {
  const check = (what: string, run: () => Promise<string | void>) => report.check(java, `share group: ${what}`, run)
  await observer.createTopic(topic, 1)
  await observer.configureGroup(group, {
    'share.auto.offset.reset': 'earliest',
    'share.record.lock.duration.ms': String(lockMs),
  })
  const first = new ShareConsumer(broker.bootstrap)
  const second = new ShareConsumer(broker.bootstrap)
  const third = new ShareConsumer(broker.bootstrap)
  let nextOffset = 0
  const fill = async () => {
    const offsets = Array.from({ length: count }, () => nextOffset++)
    await observer.fill(
      topic,
      offsets.map((offset) => [0, `value ${offset}`] as const),
    )
    return offsets
  }
  try {
    await check('accept, release, reject', async () => {
      const offsets = await fill()
      await first.join()
      const delivered = await first.poll()
      expectEqual(offsetsOf(delivered), offsets, 'offsets')
      expectEqual(countsOf(delivered), [1], 'delivery counts')
      await first.acknowledge(delivered, (offset) => (['ACCEPT', 'RELEASE', 'REJECT'] as const)[offset % 3]!)
      const again = await first.poll()
      expectEqual(
        offsetsOf(again),
        offsets.filter((offset) => offset % 3 === 1),
        'offsets delivered again',
      )
      expectEqual(countsOf(again), [2], 'delivery counts')
      await first.acknowledge(again, () => 'ACCEPT')
    })
    await check('a lock expires later when it is renewed', async () => {
      await second.process.call('describeCluster') // the process runs; a member would fetch records before it polls
      const offsets = await fill()
      const delivered = await first.poll()
      const deliveredMs = performance.now()
      expectEqual(offsetsOf(delivered), offsets, 'offsets')
      await second.join()
      const afterwards = second.poll()
      await delay(Math.max(0, deliveredMs + (lockMs * 2) / 3 - performance.now()))
      await first.acknowledge(delivered, () => 'RENEW')
      const expired = await afterwards
      const heldMs = performance.now() - deliveredMs
      expectEqual(offsetsOf(expired), offsets, 'offsets whose locks expired')
      expectEqual(countsOf(expired), [2], 'delivery counts')
      expectTrue(heldMs > (lockMs * 5) / 3 - 100, `held for ${heldMs} ms`)
      await second.acknowledge(expired, () => 'ACCEPT')
      await first.process.kill() // it may not poll before it has acknowledged what it no longer holds
      return `held for ${Math.round(heldMs)} ms, locked for ${lockMs} ms each time`
    })
    await check('two members share a partition', async () => {
      await third.join()
      await third.expectNothing()
      const offsets = await fill()
      const got = new Map<number, number>()
      await eventually(async () => {
        for (const consumer of [second, third]) {
          const records = (await consumer.process.call('sharePoll', { timeoutMs: 100 })) as Delivered[]
          for (const offset of offsetsOf(records)) got.set(offset, (got.get(offset) ?? 0) + 1)
          if (records.length > 0) await consumer.acknowledge(records, () => 'ACCEPT')
        }
        expectEqual(
          [...got.keys()].toSorted((a, b) => a - b),
          offsets,
          'offsets',
        )
      }, 10_000)
      expectTrue(
        [...got.values()].every((times) => times === 1),
        'some were delivered twice',
      )
    })
    await check('what a crashed member held goes to another', async () => {
      const offsets = await fill()
      let held: Delivered[] = []
      await eventually(async () => {
        held = (await second.process.call('sharePoll', { timeoutMs: 100 })) as Delivered[]
        expectTrue(held.length > 0, 'nothing came')
      }, 10_000)
      await second.process.kill()
      const got = new Map<number, number>()
      await eventually(async () => {
        const records = (await third.process.call('sharePoll', { timeoutMs: 200 })) as Delivered[]
        for (const [, offset, , deliveries] of records) got.set(offset, deliveries)
        if (records.length > 0) await third.acknowledge(records, () => 'ACCEPT')
        expectEqual(
          [...got.keys()].toSorted((a, b) => a - b),
          offsets,
          'offsets',
        )
      }, 20_000)
      for (const offset of offsetsOf(held)) expectEqual(got.get(offset), 2, `deliveries of ${offset}`)
      return `${held.length} records`
    })
    await check('a record is given up after five deliveries', async () => {
      const offsets = await fill()
      const deliveries = new Map<number, number[]>(offsets.map((offset) => [offset, []]))
      // Towards the end the broker delivers fewer at a time.
      await eventually(async () => {
        const records = (await third.process.call('sharePoll', { timeoutMs: 100 })) as Delivered[]
        for (const [, offset, , count] of records) deliveries.get(offset)!.push(count)
        if (records.length > 0) await third.acknowledge(records, () => 'RELEASE')
        const counts = Array.from({ length: deliveryLimit }, (_, i) => i + 1)
        for (const [offset, told] of deliveries) expectEqual(told, counts, `delivery counts of ${offset}`)
      }, 20_000)
      await third.expectNothing()
    })
    await third.process.call('shareLeave')
  } finally {
    await first.process.kill()
    await second.process.kill()
    await third.process.kill()
  }
}
