import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { PartitionImage } from '../metadata/image.ts'
import { firstState, nextPartitionState, NO_STATE } from './partition-election.ts'

const base: PartitionImage = {
  leader: 1,
  leaderEpoch: 5,
  partitionEpoch: 9,
  replicas: [1, 2, 3],
  isr: [1, 2, 3],
  addingReplicas: [],
  removingReplicas: [],
  leaderRecovering: false,
}

interface Facts {
  readonly alive: readonly number[]
  readonly suspect?: readonly number[]
  readonly unclean?: boolean
}

function next(partition: Partial<PartitionImage>, { alive, suspect = [], unclean = false }: Facts): unknown {
  const state = nextPartitionState(
    { ...base, ...partition },
    { isAlive: (id) => alive.includes(id), isSuspect: (id) => suspect.includes(id), allowsUnclean: () => unclean },
  )
  return state && [state.leader, state.leaderEpoch, state.partitionEpoch, state.isr.join(), state.leaderRecovering]
}

test('nothing changes while leader and followers are alive and trusted', () => {
  assert.equal(next({}, { alive: [1, 2, 3] }), null)
  assert.equal(next({ leader: -1, isr: [1] }, { alive: [2, 3] }), null)
})

test('a follower that goes leaves the ISR without a new term', () => {
  assert.deepEqual(next({}, { alive: [1, 3] }), [1, 5, 10, '1,3', false])
})

test('when the leader goes, the first of the assignment in the ISR takes over', () => {
  assert.deepEqual(next({}, { alive: [2, 3] }), [2, 6, 10, '2,3', false])
  assert.deepEqual(next({ isr: [1, 3] }, { alive: [2, 3] }), [3, 6, 10, '3', false])
})

test('a leader that has come back is not trusted with others in sync, but is when it alone was', () => {
  assert.deepEqual(next({}, { alive: [1, 2, 3], suspect: [1] }), [2, 6, 10, '2,3', false])
  assert.deepEqual(next({ isr: [1] }, { alive: [1, 2, 3], suspect: [1] }), [1, 6, 10, '1', false])
})

test('the last in sync stays in the ISR when it goes, and leads when it comes', () => {
  assert.deepEqual(next({ isr: [1] }, { alive: [2, 3] }), [-1, 6, 10, '1', false])
  assert.deepEqual(next({ isr: [1], leader: -1, leaderEpoch: 6 }, { alive: [1] }), [1, 7, 10, '1', false])
})

test('when all are in doubt, the first in sync that is alive leads, alone in sync', () => {
  assert.deepEqual(next({}, { alive: [2, 3], suspect: [2, 3] }), [2, 6, 10, '2', false])
})

test('an unclean election takes any replica alive, which has to recover', () => {
  assert.deepEqual(next({ isr: [1] }, { alive: [3], unclean: true }), [3, 6, 10, '3', true])
  assert.deepEqual(next({ isr: [1] }, { alive: [1, 3], unclean: true }), null)
  assert.deepEqual(next({ isr: [1] }, { alive: [], unclean: true }), [-1, 6, 10, '1', false])
})

test('a partition without a state gets its first when a replica is alive', () => {
  const stateless = { leader: -1, leaderEpoch: 0, partitionEpoch: NO_STATE, isr: [] }
  assert.equal(next(stateless, { alive: [] }), null)
  assert.deepEqual(next(stateless, { alive: [2, 3] }), [2, 0, 0, '2,3', false])
  assert.equal(firstState([1, 2], { isAlive: () => true })?.isr.length, 2)
})

test('whatever happens: the ISR is never empty, the leader is in it and alive, epochs only rise, and the result is stable', () => {
  const ids = fc.subarray([1, 2, 3])
  fc.assert(
    fc.property(
      fc.array(fc.record({ alive: ids, suspect: ids, unclean: fc.boolean() }), { maxLength: 30 }),
      (events) => {
        let partition = base
        for (const { alive, suspect, unclean } of events) {
          const facts = {
            isAlive: (id: number) => alive.includes(id),
            isSuspect: (id: number) => suspect.includes(id),
            allowsUnclean: () => unclean,
          }
          const state = nextPartitionState(partition, facts)
          if (state !== null) {
            assert.equal(state.partitionEpoch, partition.partitionEpoch + 1)
            const rises = state.leader !== partition.leader ? 1 : state.leaderEpoch - partition.leaderEpoch
            assert.equal(state.leaderEpoch, partition.leaderEpoch + rises)
            assert.ok(rises === 0 || rises === 1)
            partition = state
          }
          assert.ok(partition.isr.length > 0 && partition.isr.every((id) => partition.replicas.includes(id)))
          assert.ok(
            partition.leader === -1 || (partition.isr.includes(partition.leader) && alive.includes(partition.leader)),
          )
          assert.equal(nextPartitionState(partition, { ...facts, isSuspect: () => false }), null)
        }
      },
    ),
  )
})
