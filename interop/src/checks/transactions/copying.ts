// The consume-transform-produce loop of a client, killed in the middle and started again: each record arrives exactly once, in order.
import { setTimeout as delay } from 'node:timers/promises'
import type { ForeignClient, Process } from '../../clients/foreign-client.ts'
import { expectEqual, expectSameItems, expectTrue } from '../../expect.ts'
import { sessionTimeoutMs } from '../groups/group-run.ts'
import type { Observer } from '../observer.ts'

const partitions = 3
const perPartition = 500
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
  const pairs = Array.from({ length: partitions * perPartition }, (_, i) => [i % partitions, `value ${i}`] as const)
  await observer.fill(from, pairs)
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
    const copiedBefore = await copyUntilKilled(first, job, observer, to)
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
    const ends = Array.from({ length: partitions }, (_, partition) => [`${from}-${partition}`, perPartition])
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

async function copyUntilKilled(copier: Process, job: object, observer: Observer, to: string): Promise<number> {
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
    if (copied >= 100) {
      await copier.kill()
      expectTrue(copied < partitions * perPartition, 'everything was copied before the kill')
      return copied
    }
    await delay(50)
  }
}
