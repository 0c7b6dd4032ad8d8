import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CodecWorker, RecordBatchBuilder } from '@millrace/protocol'
import { SimulatedClock, SimulatedTime } from '@millrace/runtime/testing'
import fc from 'fast-check'
import type { Cluster } from '../../cluster/cluster.ts'
import type { ConsumerRecord, TopicPartition } from '../../record.ts'
import type { Commits } from '../commits/commits.ts'
import { FetchedPart } from '../fetch/fetched-part.ts'
import type { ConsumerSettings } from '../options.ts'
import { AssignedPartition } from '../positions/assigned-partition.ts'
import { Assignment } from '../positions/assignment.ts'
import { Rebalances } from '../rebalances.ts'
import { BatchLoop } from './batch-loop.ts'
import { PartitionSource } from './partition-source.ts'
import { RecordLoop } from './record-loop.ts'

const codecs = new CodecWorker()
const logSize = 12

function fetched(from: number): FetchedPart {
  const builder = new RecordBatchBuilder({ baseOffset: BigInt(from), partitionLeaderEpoch: 0 })
  for (let offset = from; offset < logSize; offset++) builder.append({ timestamp: 0n, value: Buffer.from('x') })
  return new FetchedPart({
    bytes: builder.build(),
    fetchOffset: BigInt(from),
    isolationLevel: 'read_uncommitted',
    abortedTransactions: null,
    checkCrcs: true,
    codecs,
    onUnpacked: () => {},
  })
}

/** A source with partitions of a dozen records each, a group that gives and takes them, and an application that the test looks into. */
class Scene {
  readonly time = new SimulatedTime()
  readonly clock = new SimulatedClock(this.time)
  readonly assignment = new Assignment<Uint8Array, Uint8Array>()
  readonly committed = new Map<number, number>()
  /** Offsets that were finished, by partition. */
  readonly finished = new Map<number, Set<number>>()
  /** What the application has in hand. */
  inHand: readonly ConsumerRecord<Uint8Array, Uint8Array>[] = []
  /** Of each partition the offset that has to come next; absent while it is not ours. */
  readonly expected = new Map<number, number>()
  isListening = false
  readonly source: PartitionSource<Uint8Array, Uint8Array>
  readonly rebalances: Rebalances<Uint8Array, Uint8Array>

  constructor(maxPollRecords: number) {
    this.source = new PartitionSource({
      clock: this.clock,
      assignment: this.assignment,
      maxPollRecords,
      intercept: (records) => records,
      onAsked: () => {},
      polled: () => {},
      onGiven: () => {},
      onTaken: () => {},
      onMoved: () => {},
      onIdle: () => {},
    })
    const listen = async (): Promise<void> => {
      assert.equal(this.inHand.length, 0, 'the listener is called while a record is in hand')
      this.isListening = true
      await this.clock.sleep(3)
      this.isListening = false
    }
    const commits = {
      commitBeforeLeaving: async (partitions: readonly TopicPartition[]) => {
        this.source.reader?.report?.()
        await this.clock.sleep(2)
        for (const partition of partitions) this.#commit(this.assignment.get(partition))
      },
      settled: () => Promise.resolve(),
    } as unknown as Commits<Uint8Array, Uint8Array>
    this.rebalances = new Rebalances({
      cluster: { world: { clock: this.clock } } as unknown as Cluster,
      settings: { maxPollIntervalMs: 300_000, defaultApiTimeoutMs: 60_000, groupId: null } as ConsumerSettings,
      assignment: this.assignment,
      source: this.source,
      automaticCommits: commits,
      commits,
      subscription: () => ['t'],
      listener: () => ({ onAssigned: listen, onRevoked: listen }),
      add: (partitions) => this.#add(partitions),
      onReadable: () => this.source.wake(),
      onListened: () => {},
      onTrouble: (error) => assert.fail(error),
      onFailure: (error) => assert.fail(error),
    })
  }

  /** What the commits of the background do. */
  commit(): void {
    this.source.reader?.report?.()
    for (const partition of this.assignment) this.#commit(partition)
  }

  give(records: readonly ConsumerRecord<Uint8Array, Uint8Array>[]): void {
    assert.ok(!this.isListening, 'records are given out while the listener is called')
    for (const { partition, offset } of records) {
      const expected = this.expected.get(partition)
      assert.notEqual(expected, undefined, `${partition} is not ours`)
      assert.equal(Number(offset), expected, `of partition ${partition}`)
      this.expected.set(partition, Number(offset) + 1)
    }
    this.inHand = records
  }

  finish(): void {
    for (const { partition, offset } of this.inHand) {
      const finished = this.finished.get(partition) ?? new Set()
      this.finished.set(partition, finished.add(Number(offset)))
    }
    this.inHand = []
  }

  /** Of what comes next: the group has taken the partition, or given it back from where it was committed. */
  expect(number: number, isOurs: boolean): void {
    if (isOurs) this.expected.set(number, this.committed.get(number) ?? 0)
    else this.expected.delete(number)
  }

  #add(partitions: readonly TopicPartition[]): void {
    for (const { topic, partition } of partitions) {
      const added = new AssignedPartition<Uint8Array, Uint8Array>({
        topic,
        partition,
        deserializers: { key: null, value: null },
      })
      const from = this.committed.get(partition) ?? 0
      added.isWithheld = true
      added.moveTo({ offset: BigInt(from), leaderEpoch: -1 })
      if (from < logSize) added.received(fetched(from))
      this.assignment.add(added)
      this.expect(partition, true)
    }
  }

  #commit(partition: AssignedPartition<Uint8Array, Uint8Array> | undefined): void {
    if (partition === undefined || partition.handled === null) return
    const offset = Number(partition.handled.offset)
    this.committed.set(partition.partition, offset)
    const finished = this.finished.get(partition.partition) ?? new Set()
    for (let one = 0; one < offset; one++)
      assert.ok(finished.has(one), `${partition.partition}:${one} is committed but not finished`)
  }
}

const incident = fc.record({
  afterMs: fc.integer({ min: 0, max: 12 }),
  partition: fc.integer({ min: 0, max: 2 }),
  does: fc.constantFrom(
    'revoke' as const,
    'assign' as const,
    'lose' as const,
    'commit' as const,
    'pause' as const,
    'seek' as const,
  ),
})

for (const way of ['records', 'batches'] as const) {
  test(`${way}: whatever the group does, listeners have the stage alone, commits are of finished records, and none is skipped`, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          incidents: fc.array(incident, { maxLength: 15 }),
          maxPollRecords: fc.integer({ min: 1, max: 5 }),
          takesMs: fc.array(fc.constantFrom(0, 0, 1, 4), { minLength: 1, maxLength: 5 }),
          breaksAfter: fc.constantFrom(0, 0, 3, 7),
        }),
        async ({ incidents, maxPollRecords, takesMs, breaksAfter }) => {
          const scene = new Scene(maxPollRecords)
          const { time, clock, source, rebalances } = scene
          const loop = { source, signal: undefined, waiting: () => {} }
          let steps = 0
          const handle = async (records: readonly ConsumerRecord<Uint8Array, Uint8Array>[]): Promise<void> => {
            scene.give(records)
            const takes = takesMs[steps++ % takesMs.length]!
            if (takes > 0) await clock.sleep(takes)
          }
          const read = async (): Promise<void> => {
            while (!source.isClosed) {
              if (way === 'records') {
                for await (const record of asking(new RecordLoop(loop), scene)) {
                  await handle([record])
                  if (breaksAfter > 0 && steps % breaksAfter === 0) break
                }
              } else {
                for await (const batch of asking(new BatchLoop(loop), scene)) {
                  await handle([...batch])
                  if (breaksAfter > 0 && steps % breaksAfter === 0) break
                }
              }
            }
          }
          const reading = read()
          const group = async (): Promise<void> => {
            for (const { afterMs, partition: number, does } of [
              ...incidents,
              ...[0, 1, 2].map((partition) => ({ afterMs: 1, partition, does: 'assign' as const })),
            ]) {
              await clock.sleep(afterMs)
              const which = { topic: 't', partition: number }
              const partition = scene.assignment.get(which)
              if (does === 'assign' && partition === undefined) await rebalances.assigned([which])
              else if (partition === undefined) continue
              else if (does === 'commit') scene.commit()
              else if (does === 'pause') {
                partition.isPaused = !partition.isPaused
                if (partition.isPaused) source.reader?.paused([which])
              } else if (does === 'seek') {
                source.reader?.moved([which])
                const from = scene.committed.get(number) ?? 0
                partition.moveTo({ offset: BigInt(from), leaderEpoch: -1 })
                if (from < logSize) partition.received(fetched(from))
                scene.expect(number, true)
              } else if (does === 'revoke' || does === 'lose') {
                await (does === 'revoke' ? rebalances.revoked([which]) : rebalances.lost([which]))
                scene.expect(number, false)
              }
              source.wake()
            }
          }
          await time.run(group())
          for (const partition of scene.assignment) partition.isPaused = false
          source.wake()
          await time.advance(2_000)
          for (const [number, next] of scene.expected)
            assert.equal(next, logSize, `partition ${number} was read to its end`)
          source.close()
          await time.run(reading)
        },
      ),
      { numRuns: 300 },
    )
  })
}

/** Tells the scene when the application asks for more. */
function asking<T>(loop: AsyncIterableIterator<T>, scene: Scene): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]: () => ({
      next: () => {
        scene.finish()
        return loop.next()
      },
      return: () => loop.return!(),
    }),
  }
}
