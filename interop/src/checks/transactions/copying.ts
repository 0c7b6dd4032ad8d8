// The consume-transform-produce loop of a client, killed in the middle and started again: each record arrives exactly once, in order.
import { setTimeout as delay } from 'node:timers/promises'
import type { ForeignClient, Process } from '../../clients/foreign-client.ts'
import { expectEqual, expectSameItems, expectTrue } from '../../expect.ts'
import { sessionTimeoutMs } from '../groups/group-run.ts'
import type { Observer } from '../observer.ts'

const partitions = 3
const recordsPerFill = 1500
const batch = 10
const abortEvery = 7
const idleMs = 2000
/**
 * franz-go asks for its producer id, which ends the transaction of the first copier, only when it has records; offsets that were
 * part of that transaction are unstable until it has ended.
 */
const transactionTimeoutMs = 10_000
/** The second copier waits for the end of the first one's session before it is given partitions. */
const patienceMs = sessionTimeoutMs + 20_000

export interface CopyingOptions {
  readonly client: ForeignClient
  readonly bootstrap: string
  readonly observer: Observer
  readonly name: string
}

export async function checkCopying({ client, bootstrap, observer, name }: CopyingOptions): Promise<string> {
  const [from, to, group] = [`${name}-from`, `${name}-to`, `group-${name}`]
  await observer.createTopic(from, partitions)
  await observer.createTopic(to, partitions)
  const pairs: (readonly [number, string])[] = []
  const fill = async () => {
    const more = Array.from({ length: recordsPerFill }, (_, i) => pairs.length + i)
    const added = more.map((number) => [number % partitions, `value ${number}`] as const)
    await observer.fill(from, added)
    pairs.push(...added)
    return pairs.length
  }
  await fill()
  const job = {
    ...client.transactions!.membership,
    group,
    from,
    to,
    transactionalId: `id-${name}`,
    timeoutMs: transactionTimeoutMs,
    sessionTimeoutMs,
    autoCommit: false,
    instanceId: null,
    batch,
    abortEvery,
    idleMs,
    patienceMs,
  }
  const first = client.open(bootstrap)
  const second = client.open(bootstrap)
  try {
    const copiedBefore = await copyUntilKilled(first, job, { observer, to, fill })
    const done = (await second.call('txnCopy', job)) as { committed: number; aborted: number }
    const copied = await observer.read(to, 'read_committed')
    for (let partition = 0; partition < partitions; partition++)
      expectEqual(
        copied.filter(([at]) => at === partition).map(([, , value]) => value),
        pairs.filter(([at]) => at === partition).map(([, value]) => value),
        `partition ${partition}`,
      )
    const committed = Object.entries(await observer.committed(group)).map(([partition, [offset]]) => [
      partition,
      offset,
    ])
    const ends = Array.from({ length: partitions }, (_, partition) => [
      `${from}-${partition}`,
      pairs.length / partitions,
    ])
    expectSameItems(committed, ends, 'committed offsets')
    expectTrue(done.aborted > 0, 'no transaction was aborted')
    return `killed after ${copiedBefore} records; then ${done.committed} transactions committed, ${done.aborted} aborted`
  } finally {
    await first.kill()
    await second.kill()
  }
}

/** A client that gives up before it has its share of the topic (kafka-python now and then does) is asked again. */
const mostAttempts = 3

interface CopyInput {
  readonly observer: Observer
  readonly to: string
  /** Writes more to copy; returns how much there is in all. */
  readonly fill: () => Promise<number>
}

async function copyUntilKilled(copier: Process, job: object, { observer, to, fill }: CopyInput): Promise<number> {
  let toCopy = recordsPerFill
  let ended: unknown = null
  let attempts = 0
  const start = (): void => {
    attempts++
    ended = null
    copier.call('txnCopy', { ...job }).then(
      () => (ended = new Error('the first copier ended before it was killed')),
      (error: unknown) => (ended = error),
    )
  }
  start()
  for (;;) {
    const copied = (await observer.read(to, 'read_committed')).length
    if (ended !== null) {
      if (copied > 0 || attempts === mostAttempts) throw ended
      start()
    }
    // Where the copier is faster than this looks, there is more for it.
    if (copied === toCopy) toCopy = await fill()
    else if (copied >= 100) {
      await copier.kill()
      return copied
    } else await delay(50)
  }
}
