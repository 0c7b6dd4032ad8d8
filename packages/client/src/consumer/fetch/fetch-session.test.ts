import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ErrorCode } from '@millrace/protocol'
import fc from 'fast-check'
import { FetchSession, type SessionPartition, type SessionRequest } from './fetch-session.ts'

const idOf = (topic: string, life = 0): string => `${topic}${life}`.padEnd(22, 'A')

function partition(topic: string, number: number, fetchOffset: bigint, life = 0): SessionPartition {
  return { topic, topicId: idOf(topic, life), partition: number, fetchOffset, leaderEpoch: 0, maxBytes: 100 }
}

test('the first request names everything and asks for a session, the next one only what has changed', () => {
  const session = new FetchSession()
  const [a, b, c] = [partition('t', 0, 0n), partition('t', 1, 0n), partition('t', 2, 0n)]
  assert.deepEqual(session.request([a, b], true), {
    sessionId: 0,
    sessionEpoch: 0,
    usesTopicIds: true,
    partitions: [a, b],
    forgotten: [],
  })
  assert.ok(session.answered({ errorCode: 0, sessionId: 7 }))
  const moved = { ...b, fetchOffset: 5n }
  assert.deepEqual(session.request([moved, c], true), {
    sessionId: 7,
    sessionEpoch: 1,
    usesTopicIds: true,
    partitions: [moved, c],
    forgotten: [a],
  })
  assert.ok(session.answered({ errorCode: 0, sessionId: 7 }))
  assert.deepEqual(session.request([moved, c], true).partitions, [])
})

test('a broker without sessions is told everything every time', () => {
  const session = new FetchSession()
  const a = partition('t', 0, 0n)
  session.request([a], false)
  session.answered({ errorCode: 0, sessionId: 0 })
  const { sessionId, sessionEpoch, partitions } = session.request([a], false)
  assert.deepEqual({ sessionId, sessionEpoch, partitions }, { sessionId: 0, sessionEpoch: 0, partitions: [a] })
})

test('an unknown session is begun anew, one with another epoch is closed by its successor', () => {
  const session = new FetchSession()
  const a = partition('t', 0, 0n)
  session.request([a], true)
  session.answered({ errorCode: 0, sessionId: 7 })
  session.request([a], true)
  assert.ok(!session.answered({ errorCode: ErrorCode.INVALID_FETCH_SESSION_EPOCH, sessionId: 0 }))
  const again = session.request([a], true)
  assert.deepEqual([again.sessionId, again.sessionEpoch, again.partitions], [7, 0, [a]])
  session.answered({ errorCode: 0, sessionId: 8 })
  session.request([a], true)
  assert.ok(!session.answered({ errorCode: ErrorCode.FETCH_SESSION_ID_NOT_FOUND, sessionId: 0 }))
  const fresh = session.request([a], true)
  assert.deepEqual([fresh.sessionId, fresh.sessionEpoch, fresh.partitions], [0, 0, [a]])
})

test('epochs begin again at 1 behind the largest', () => {
  const session = new FetchSession()
  const a = partition('t', 0, 0n)
  session.request([a], true)
  session.answered({ errorCode: 0, sessionId: 7 })
  session.epochForTest = 0x7fff_ffff
  assert.equal(session.request([a], true).sessionEpoch, 0x7fff_ffff)
  session.answered({ errorCode: 0, sessionId: 7 })
  assert.equal(session.request([a], true).sessionEpoch, 1)
})

/** The broker's half, as KIP-227 has it. */
class BrokerSession {
  #id = 0
  #epoch = 0
  #nextId = 1
  #partitions = new Map<string, SessionPartition>()

  /** What it would fetch from; null for a session or an epoch that it does not know. */
  serve({ sessionId, sessionEpoch, partitions, forgotten }: SessionRequest, mayRemember: boolean) {
    if (sessionEpoch === 0) {
      this.#partitions = new Map()
      this.#id = mayRemember ? this.#nextId++ : 0
      this.#epoch = 1
    } else {
      if (sessionId !== this.#id || this.#id === 0)
        return { errorCode: ErrorCode.FETCH_SESSION_ID_NOT_FOUND, sessionId: 0 }
      if (sessionEpoch !== this.#epoch) return { errorCode: ErrorCode.INVALID_FETCH_SESSION_EPOCH, sessionId: 0 }
      this.#epoch++
    }
    const name = ({ topicId, partition: number }: SessionPartition): string => `${topicId} ${number}`
    for (const one of forgotten) assert.ok(this.#partitions.delete(name(one)), 'what is forgotten was known')
    for (const one of partitions) this.#partitions.set(name(one), one)
    const fetched = [...this.#partitions.values()]
    if (this.#id === 0) this.#partitions = new Map()
    return { errorCode: 0, sessionId: this.#id, fetched }
  }

  evict(): void {
    this.#id = 0
  }
}

test('whatever happens, an answered request fetches exactly what was wanted', () => {
  const step = fc.record({
    wanted: fc.uniqueArray(
      fc.record({
        topic: fc.constantFrom('t', 'u'),
        number: fc.integer({ min: 0, max: 3 }),
        offset: fc.bigInt({ min: 0n, max: 3n }),
        life: fc.integer({ min: 0, max: 1 }),
      }),
      { minLength: 1, maxLength: 6, selector: ({ topic, number }) => `${topic}${number}` },
    ),
    fate: fc.constantFrom('answered', 'answered', 'answered', 'request lost', 'answer lost', 'evicted', 'no room'),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const client = new FetchSession()
      const broker = new BrokerSession()
      for (const { wanted, fate } of steps) {
        if (fate === 'evicted') broker.evict()
        const partitions = wanted.map(({ topic, number, offset, life }) => partition(topic, number, offset, life))
        // A refused request is made again.
        for (let attempt = 0; ; attempt++) {
          assert.ok(attempt < 3, 'it has to end')
          const request = client.request(partitions, true)
          if (fate === 'request lost') {
            client.failed()
            break
          }
          const answer = broker.serve(request, fate !== 'no room')
          if (fate === 'answer lost') {
            client.failed()
            break
          }
          if (!client.answered(answer)) continue
          const key = (one: SessionPartition): string =>
            JSON.stringify(one, (_, value: unknown) => (typeof value === 'bigint' ? `${value}` : value))
          assert.deepEqual(answer.fetched!.map(key).toSorted(), partitions.map(key).toSorted())
          break
        }
      }
    }),
    { numRuns: 500 },
  )
})
