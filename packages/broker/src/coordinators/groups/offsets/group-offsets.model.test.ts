/** Offsets against a list of what happened: histories with transactions, deletions, refused appends and lost commits, reloaded at every entry. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ErrorCode, KafkaError } from '@millrace/protocol'
import { deleteGroup } from '../delete-groups.ts'
import type { GroupShard } from '../group-shard.ts'
import { GroupShardUnderTest } from '../testing/group-shard-under-test.ts'
import { commit, fetchCommitted } from '../testing/offset-client.ts'

const groups = ['g', 'h']
const topics = ['t', 'u']
const partitions = [0, 1]
const producers = [1n, 2n]

type Step =
  | {
      readonly kind: 'commit'
      readonly group: string
      readonly topic: string
      readonly partition: number
      readonly producer: bigint | null
    }
  | { readonly kind: 'end'; readonly producer: bigint; readonly result: 'COMMIT' | 'ABORT' }
  | { readonly kind: 'delete'; readonly group: string; readonly topic: string; readonly partition: number }
  | { readonly kind: 'delete group'; readonly group: string }
  | { readonly kind: 'refuse' | 'hold'; readonly on: boolean }
  | { readonly kind: 'move' }

const anyPartition = {
  group: fc.constantFrom(...groups),
  topic: fc.constantFrom(...topics),
  partition: fc.constantFrom(...partitions),
}
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constant('commit' as const),
      ...anyPartition,
      producer: fc.oneof(fc.constant(null), fc.constantFrom(...producers)),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('end' as const),
      producer: fc.constantFrom(...producers),
      result: fc.constantFrom('COMMIT' as const, 'ABORT' as const),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('delete' as const), ...anyPartition }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete group' as const), group: anyPartition.group }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('refuse' as const, 'hold' as const), on: fc.boolean() }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'move' as const }) },
)

/** What happened, in order; what it adds up to is worked out anew each time. */
type Happened =
  | { readonly key: string; readonly offset: bigint; readonly producer: bigint | null }
  | { readonly deleted: string }
  | { readonly ended: bigint; readonly result: 'COMMIT' | 'ABORT' }

function addUp(history: readonly Happened[]): Map<string, bigint> {
  const values = new Map<string, { offset: bigint; at: number }>()
  let pending: { key: string; offset: bigint; at: number; producer: bigint }[] = []
  for (const [at, event] of history.entries()) {
    if ('deleted' in event) {
      values.delete(event.deleted)
      pending = pending.filter(({ key }) => key !== event.deleted)
    } else if ('ended' in event) {
      for (const { key, offset, at: written, producer } of pending)
        if (producer === event.ended && event.result === 'COMMIT' && written > (values.get(key)?.at ?? -1))
          values.set(key, { offset, at: written })
      pending = pending.filter(({ producer }) => producer !== event.ended)
    } else if (event.producer === null) values.set(event.key, { offset: event.offset, at })
    else pending.push({ ...event, producer: event.producer, at })
  }
  return new Map([...values].map(([key, { offset }]) => [key, offset]))
}

function contentOf(shard: GroupShard): Map<string, bigint> {
  const content = new Map<string, bigint>()
  for (const group of groups)
    for (const [key, { offset }] of fetchCommitted({ shard }, { group })) content.set(`${group}/${key}`, offset)
  return content
}

const sorted = (content: Map<string, bigint>) => [...content].toSorted(([a], [b]) => (a < b ? -1 : 1))

test('any history of offsets adds up, and so does what is reloaded of it', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const under = new GroupShardUnderTest()
      /** Entries of the log, each with what it holds. */
      let log: Happened[][] = []
      let committedLength = 0
      let next = 0n
      for (const one of steps) {
        const lengthBefore = under.logLength
        const added = await perform(under, one, () => ++next)
        if (one.kind === 'move') log = log.slice(0, committedLength)
        if (under.logLength > lengthBefore) log.push(added)
        assert.equal(under.logLength, log.length)
        if (!under.holdsCommits) under.commit()
        if (!under.hasUncommitted) committedLength = log.length
        assert.deepEqual(sorted(contentOf(under.shard)), sorted(addUp(log.flat())))
      }
      for (let length = 0; length <= log.length; length++)
        assert.deepEqual(sorted(contentOf(under.reloaded(length))), sorted(addUp(log.slice(0, length).flat())))
    }),
    { numRuns: 200 },
  )
})

/** Returns what it writes, if it writes. */
async function perform(under: GroupShardUnderTest, one: Step, nextOffset: () => bigint): Promise<Happened[]> {
  switch (one.kind) {
    case 'commit': {
      const { group, topic, partition, producer } = one
      const offset = nextOffset()
      const committing = commit(under, {
        group,
        topic,
        partition,
        offset,
        ...(producer === null ? {} : { producerId: producer }),
      })
      await settledOrWaiting(committing)
      return [{ key: `${group}/${topic}-${partition}`, offset, producer }]
    }
    case 'end':
      under.endTransaction({ producerId: one.producer, producerEpoch: 0 }, one.result)
      return [{ ended: one.producer, result: one.result }]
    case 'delete': {
      const { group, topic, partition } = one
      const asked = [{ name: topic, partitions: [{ partitionIndex: partition }] }]
      await settledOrWaiting(under.write(({ offsets }) => offsets.delete({ groupId: group, topics: asked })))
      return [{ deleted: `${group}/${topic}-${partition}` }]
    }
    case 'delete group':
      await settledOrWaiting(under.write((shard) => deleteGroup(shard.groups, shard.offsets, one.group)))
      return topics.flatMap((topic) => partitions.map((index) => ({ deleted: `${one.group}/${topic}-${index}` })))
    case 'refuse':
      under.refusal = one.on ? new KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE) : null
      return []
    case 'hold':
      under.holdsCommits = one.on
      return []
    case 'move':
      under.moveAway()
      return []
  }
}

/** Goes on when it is settled, or at once when it waits for its commit. Refusals are expected here; bugs are not. */
async function settledOrWaiting(promise: Promise<unknown>): Promise<void> {
  const settled = promise.catch((error: unknown) => {
    if (!(error instanceof KafkaError)) throw error
  })
  await Promise.race([settled, new Promise((resolve) => setImmediate(resolve))])
}
