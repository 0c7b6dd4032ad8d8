import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ErrorCode, KafkaError } from '@millrace/protocol'
import { ShareSessions, type SharedOutcome, type ShareSessionRequest } from './share-sessions.ts'

const topicId = 'AAAAAAAAAAAAAAAAAAAAAQ'

class Connection {
  readonly listeners = new Set<() => void>()

  onClosed(listener: () => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  close(): void {
    for (const listener of this.listeners) listener()
  }
}

function sessionsOf(maxSessions = 10) {
  const lost: string[] = []
  const sessions = new ShareSessions({
    maxSessions,
    onMemberLost: (groupId, memberId, partitions) => lost.push(`${groupId}/${memberId}:${partitions.length}`),
  })
  return { sessions, lost }
}

function request(
  epoch: number,
  changes: Partial<ShareSessionRequest> & { indexes?: number[] } = {},
): ShareSessionRequest {
  const { indexes = [], ...others } = changes
  return {
    groupId: 'g',
    memberId: 'm',
    epoch,
    partitions: indexes.map((index) => ({ topicId, index })),
    forgotten: [],
    hasAcknowledgements: false,
    connection: new Connection(),
    ...others,
  }
}

function outcome(index: number, changes: Partial<SharedOutcome> = {}): SharedOutcome {
  return { topicId, index, errorCode: ErrorCode.NONE, recordsSizeBytes: 0, ...changes }
}

const told = (outcomes: readonly SharedOutcome[]): number[] => outcomes.map(({ index }) => index)

const fails = (call: () => unknown, code: number): void =>
  assert.throws(call, (error) => error instanceof KafkaError && error.code === code)

test('a first request is told everything, later ones what is new', () => {
  const { sessions } = sessionsOf()
  const all = [outcome(0), outcome(1, { errorCode: ErrorCode.NOT_LEADER_OR_FOLLOWER })]
  assert.deepEqual(told(sessions.open(request(0, { indexes: [0, 1] })).conclude(all)), [0, 1])
  const second = sessions.open(request(1, { indexes: [2] }))
  assert.deepEqual(
    second.partitions.map(({ index }) => index),
    [0, 1, 2],
  )
  const withRecords = outcome(0, { recordsSizeBytes: 1 })
  const failing = outcome(1, { errorCode: ErrorCode.NOT_LEADER_OR_FOLLOWER })
  assert.deepEqual(told(second.conclude([withRecords, failing, outcome(2)])), [0, 1, 2])
  // What has given records is the last to be served; that an error is over is news.
  const third = sessions.open(request(2))
  assert.deepEqual(
    third.partitions.map(({ index }) => index),
    [1, 2, 0],
  )
  assert.deepEqual(told(third.conclude([outcome(1), outcome(2), outcome(0)])), [1])
  const forgotten = [{ topicId, index: 1 }]
  assert.equal(sessions.open(request(3, { forgotten })).partitions.length, 2)
})

test('a request that another has overtaken is told so', () => {
  const { sessions } = sessionsOf()
  sessions.open(request(0, { indexes: [0] }))
  const slow = sessions.open(request(1))
  sessions.acknowledge('g', 'm', 2)
  fails(() => slow.conclude([outcome(0)]), ErrorCode.INVALID_SHARE_SESSION_EPOCH)
})

test('a connection takes its sessions along, but not those that were begun anew elsewhere', () => {
  const { sessions, lost } = sessionsOf()
  const one = new Connection()
  const other = new Connection()
  sessions.open(request(0, { indexes: [0, 1], connection: one }))
  sessions.open(request(0, { indexes: [0], memberId: 'second', connection: one }))
  sessions.open(request(0, { indexes: [0], connection: other }))
  one.close()
  assert.deepEqual(lost, ['g/second:1'])
  assert.ok(sessions.hasMembers('g'))
  other.close()
  assert.deepEqual(lost, ['g/second:1', 'g/m:1'])
  assert.ok(!sessions.hasMembers('g'))
  assert.equal(sessions.size, 0)
  assert.equal(one.listeners.size + other.listeners.size, 0)
})

test('what sessions remember is bounded', () => {
  const { sessions, lost } = sessionsOf(2)
  const many = Array.from({ length: 200_000 }, (_, index) => index)
  sessions.open(request(0, { indexes: many }))
  fails(() => sessions.open(request(0, { indexes: many, memberId: 'second' })), ErrorCode.SHARE_SESSION_LIMIT_REACHED)
  sessions.open(request(0, { indexes: [0], memberId: 'second' }))
  fails(() => sessions.open(request(0, { memberId: 'third' })), ErrorCode.SHARE_SESSION_LIMIT_REACHED)
  fails(() => sessions.open(request(1, { indexes: many, memberId: 'second' })), ErrorCode.SHARE_SESSION_LIMIT_REACHED)
  assert.deepEqual(lost, ['g/second:200000'])
  sessions.open(request(0, { memberId: 'third' }))
})

test('members and groups with colons in their names are told apart', () => {
  const { sessions } = sessionsOf()
  sessions.open(request(0, { memberId: 'a:b', groupId: 'c' }))
  sessions.open(request(0, { memberId: 'a', groupId: 'b:c' }))
  assert.equal(sessions.size, 2)
})
