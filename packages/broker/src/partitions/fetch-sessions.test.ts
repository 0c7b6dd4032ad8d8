import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ErrorCode } from '@millrace/protocol'
import { FetchSessions, type FetchContext, type FetchOutcome, type FetchPartition } from './fetch-sessions.ts'

const zeroId = 'AAAAAAAAAAAAAAAAAAAAAA'

function partition(topic: string, index: number, fetchOffset = 0n): FetchPartition {
  return {
    topic,
    topicId: zeroId,
    index,
    fetchOffset,
    maxBytes: 1000,
    currentLeaderEpoch: -1,
    lastFetchedEpoch: -1,
    logStartOffset: -1n,
  }
}

function outcome(changes: Partial<FetchOutcome> = {}): FetchOutcome {
  return {
    errorCode: ErrorCode.NONE,
    highWatermark: 10n,
    logStartOffset: 0n,
    recordsSizeBytes: 0,
    hasPreferredReplica: false,
    hasDivergingEpoch: false,
    ...changes,
  }
}

function sessionsWith(maxSessions = 10, maxPartitions = 1000) {
  let nowMs = 0
  let nextId = 100
  const clock = {
    now: () => nowMs,
    monotonicMs: () => nowMs,
    after: () => ({ cancel() {} }),
    endOfTurn: () => {},
    nextTurn: async () => {},
    sleep: async () => {},
    holdProcess: () => ({ [Symbol.dispose]() {} }),
  }
  const random = { next: () => 0, integer: () => nextId++, bytes: (length: number) => new Uint8Array(length) }
  return {
    sessions: new FetchSessions({ clock, random, maxSessions, maxPartitions }),
    advance: (ms: number) => (nowMs += ms),
  }
}

interface Ask {
  sessionId?: number
  epoch?: number
  partitions?: FetchPartition[]
  forgotten?: { topic: string; topicId: string; index: number }[]
  usesTopicIds?: boolean
  fromFollower?: boolean
}

function open(sessions: FetchSessions, ask: Ask): FetchContext {
  return sessions.open({
    sessionId: ask.sessionId ?? 0,
    epoch: ask.epoch ?? 0,
    usesTopicIds: ask.usesTopicIds ?? false,
    fromFollower: ask.fromFollower ?? false,
    partitions: ask.partitions ?? [],
    forgotten: ask.forgotten ?? [],
    topicNameById: () => undefined,
  })
}

/** Concludes with the same outcome for all and says which partitions the response holds. */
function conclude(context: FetchContext, of: (one: FetchPartition) => FetchOutcome = () => outcome()) {
  const served = [...context.partitions]
  const { errorCode, sessionId, includes } = context.conclude(served, served.map(of))
  return {
    errorCode,
    sessionId,
    included: served.filter((_, at) => includes(at)).map((one) => `${one.topic}-${one.index}`),
  }
}

test('a full fetch makes a session and answers everything', () => {
  const { sessions } = sessionsWith()
  const first = conclude(open(sessions, { partitions: [partition('a', 0), partition('a', 1)] }))
  assert.ok(first.sessionId > 0)
  assert.deepEqual(first.included, ['a-0', 'a-1'])
  assert.equal(sessions.size, 1)
})

test('an incremental fetch answers only what changed', () => {
  const { sessions } = sessionsWith()
  const { sessionId } = conclude(open(sessions, { partitions: [partition('a', 0), partition('a', 1)] }))
  assert.deepEqual(conclude(open(sessions, { sessionId, epoch: 1 })).included, [])
  const moved = conclude(open(sessions, { sessionId, epoch: 2 }), (one) =>
    outcome({ highWatermark: one.index === 1 ? 11n : 10n }),
  )
  assert.deepEqual(moved.included, ['a-1'])
  const startMoved = conclude(open(sessions, { sessionId, epoch: 3 }), (one) =>
    outcome({ highWatermark: one.index === 1 ? 11n : 10n, logStartOffset: one.index === 0 ? 5n : 0n }),
  )
  assert.deepEqual(startMoved.included, ['a-0'])
})

test('after an error the next good answer is told even when nothing moved', () => {
  const { sessions } = sessionsWith()
  const { sessionId } = conclude(open(sessions, { partitions: [partition('a', 0)] }))
  const failing = () => outcome({ errorCode: ErrorCode.NOT_LEADER_OR_FOLLOWER })
  assert.deepEqual(conclude(open(sessions, { sessionId, epoch: 1 }), failing).included, ['a-0'])
  assert.deepEqual(conclude(open(sessions, { sessionId, epoch: 2 })).included, ['a-0'])
  assert.deepEqual(conclude(open(sessions, { sessionId, epoch: 3 })).included, [])
})

test('partitions that gave data go to the end of the order', () => {
  const { sessions } = sessionsWith()
  const all = [partition('a', 0), partition('a', 1), partition('a', 2)]
  const { sessionId } = conclude(open(sessions, { partitions: all }))
  conclude(open(sessions, { sessionId, epoch: 1 }), (one) => outcome({ recordsSizeBytes: one.index === 0 ? 100 : 0 }))
  const next = open(sessions, { sessionId, epoch: 2 })
  assert.deepEqual(
    [...next.partitions].map((one) => one.index),
    [1, 2, 0],
  )
})

test('partitions are added, changed and forgotten', () => {
  const { sessions } = sessionsWith()
  const { sessionId } = conclude(open(sessions, { partitions: [partition('a', 0), partition('a', 1)] }))
  const context = open(sessions, {
    sessionId,
    epoch: 1,
    partitions: [partition('a', 0, 7n), partition('b', 0)],
    forgotten: [{ topic: 'a', topicId: zeroId, index: 1 }],
  })
  assert.deepEqual(
    [...context.partitions].map((one) => [one.topic, one.index, one.fetchOffset]),
    [
      ['a', 0, 7n],
      ['b', 0, 0n],
    ],
  )
})

test('forgetting the last partition ends the session', () => {
  const { sessions } = sessionsWith()
  const { sessionId } = conclude(open(sessions, { partitions: [partition('a', 0)] }))
  const last = open(sessions, { sessionId, epoch: 1, forgotten: [{ topic: 'a', topicId: zeroId, index: 0 }] })
  assert.equal(conclude(last).sessionId, 0)
  assert.equal(sessions.size, 0)
})

test('an unknown session, a wrong epoch and a change to topic ids are told apart', () => {
  const { sessions } = sessionsWith()
  const { sessionId } = conclude(open(sessions, { partitions: [partition('a', 0)] }))
  assert.equal(open(sessions, { sessionId: 5, epoch: 1 }).errorCode, ErrorCode.FETCH_SESSION_ID_NOT_FOUND)
  assert.equal(open(sessions, { sessionId, epoch: 2 }).errorCode, ErrorCode.INVALID_FETCH_SESSION_EPOCH)
  assert.equal(
    open(sessions, { sessionId, epoch: 1, usesTopicIds: true }).errorCode,
    ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR,
  )
})

test('a request overtaken by a later one of its session is refused at the end', () => {
  const { sessions } = sessionsWith()
  const { sessionId } = conclude(open(sessions, { partitions: [partition('a', 0)] }))
  const slow = open(sessions, { sessionId, epoch: 1 })
  const quick = open(sessions, { sessionId, epoch: 2 })
  assert.equal(conclude(quick).errorCode, ErrorCode.NONE)
  assert.equal(conclude(slow).errorCode, ErrorCode.INVALID_FETCH_SESSION_EPOCH)
})

test('epoch -1 ends a session and epoch 0 replaces it', () => {
  const { sessions } = sessionsWith()
  const first = conclude(open(sessions, { partitions: [partition('a', 0)] }))
  const second = conclude(open(sessions, { sessionId: first.sessionId, epoch: 0, partitions: [partition('a', 0)] }))
  assert.notEqual(second.sessionId, first.sessionId)
  assert.equal(sessions.size, 1)
  assert.equal(
    conclude(open(sessions, { sessionId: second.sessionId, epoch: -1, partitions: [partition('a', 0)] })).sessionId,
    0,
  )
  assert.equal(sessions.size, 0)
})

test('a full cache refuses young rivals, drops stale ones, and lets larger and privileged newcomers in', () => {
  const { sessions, advance } = sessionsWith(1)
  const small = conclude(open(sessions, { partitions: [partition('a', 0)] }))
  assert.ok(small.sessionId > 0)
  assert.equal(conclude(open(sessions, { partitions: [partition('b', 0), partition('b', 1)] })).sessionId, 0)
  assert.ok(conclude(open(sessions, { partitions: [partition('c', 0)], fromFollower: true })).sessionId > 0)
  assert.equal(sessions.size, 1)
  assert.equal(open(sessions, { sessionId: small.sessionId, epoch: 1 }).errorCode, ErrorCode.FETCH_SESSION_ID_NOT_FOUND)
  assert.equal(conclude(open(sessions, { partitions: [partition('d', 0)] })).sessionId, 0)
  advance(120_001)
  assert.ok(conclude(open(sessions, { partitions: [partition('d', 0)] })).sessionId > 0)
})

test('sessions together remember a bounded number of partitions; above it clients go on without', () => {
  const { sessions } = sessionsWith(10, 5)
  const topic = (name: string, count: number) => Array.from({ length: count }, (_, index) => partition(name, index))
  const first = conclude(open(sessions, { partitions: topic('a', 3) }))
  assert.ok(first.sessionId > 0)
  const refused = conclude(open(sessions, { partitions: topic('b', 3) }))
  assert.deepEqual([refused.errorCode, refused.sessionId, refused.included.length], [ErrorCode.NONE, 0, 3])
  assert.ok(conclude(open(sessions, { partitions: topic('c', 2) })).sessionId > 0)

  const grown = open(sessions, { sessionId: first.sessionId, epoch: 1, partitions: topic('d', 3) })
  assert.equal(grown.errorCode, ErrorCode.FETCH_SESSION_ID_NOT_FOUND)
  assert.equal(sessions.size, 1)
  // Its room is free again, and so is that of partitions forgotten.
  const next = conclude(open(sessions, { partitions: topic('e', 3) }))
  assert.ok(next.sessionId > 0)
  const forgotten = topic('e', 2).map(({ topicId, index }) => ({ topic: 'e', topicId, index }))
  conclude(open(sessions, { sessionId: next.sessionId, epoch: 1, forgotten }))
  assert.ok(conclude(open(sessions, { partitions: topic('f', 2) })).sessionId > 0)
})
