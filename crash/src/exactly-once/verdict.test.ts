import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LogEntry } from './log-entry.ts'
import { judge, type Evidence } from './verdict.ts'

/** `a1 b1 +1 c2 -2`: records a and b of producer 1, its commit, record c of producer 2, its abort; `d0` is outside of transactions. */
function logOf(text: string): LogEntry[] {
  return text.split(' ').map((token, index): LogEntry => {
    const offset = BigInt(index)
    const producerId = BigInt(token.slice(1))
    const mark = token[0]!
    if (mark === '+' || mark === '-')
      return { kind: 'marker', offset, producerId, producerEpoch: 1, commits: mark === '+' }
    return {
      kind: 'data',
      offset,
      value: mark,
      producerId,
      producerEpoch: 0,
      isTransactional: producerId > 0n,
      transaction: null,
    }
  })
}

const evidence = (input: string[], log: string[], committed: string[]): Evidence => ({
  input: input.map((values) => values.split('')),
  log: log.map(logOf),
  committed: committed.map((values) => values.split('')),
})

const expectProblem = (what: Evidence, problem: RegExp) =>
  assert.match(judge(what).problems.join('\n'), problem, 'the problem was not noticed')

test('a copy whose aborted records were written again is exact', () => {
  const verdict = judge(evidence(['abc', 'xy'], ['a1 b1 -1 a2 b2 +2 c3 +3', 'x2 y2 +2'], ['abc', 'xy']))
  assert.deepEqual(verdict, {
    problems: [],
    committedRecords: 5,
    abortedRecords: 2,
    committedTransactions: 2,
    abortedTransactions: 1,
    transactionsOverSeveralPartitions: 1,
  })
})

test('a record copied twice is noticed', () => {
  expectProblem(evidence(['ab'], ['a1 b1 +1 b2 +2'], ['abb']), /0: output against input: 1 more than once: b/)
})

test('a lost record is noticed', () => {
  expectProblem(evidence(['abc'], ['a1 c1 +1'], ['ac']), /0: output against input: 1 missing: b/)
})

test('records out of order are noticed', () => {
  expectProblem(evidence(['abc'], ['a1 c1 b1 +1'], ['acb']), /out of order: record 1 is c, expected b/)
})

test('a record that was never written is noticed', () => {
  expectProblem(evidence(['ab'], ['a1 b1 z1 +1'], ['abz']), /1 never written: z/)
})

test('an aborted record that read_committed shows is noticed', () => {
  expectProblem(evidence(['a'], ['a1 -1 a2 +2'], ['aa']), /read_committed against the markers: 1 more than once: a/)
})

test('a committed record that read_committed hides is noticed', () => {
  expectProblem(evidence(['ab'], ['a1 b1 +1'], ['a']), /read_committed against the markers: 1 missing: b/)
})

test('a transaction committed in one partition and aborted in another is noticed', () => {
  expectProblem(evidence(['a', 'x'], ['a1 +1', 'x1 -1 x2 +2'], ['a', 'x']), /epoch 0 is torn: 0 committed, 1 aborted/)
})

test('a transaction that ends in one partition and stays open in another is noticed', () => {
  expectProblem(
    evidence(['a', 'x'], ['a1 +1', 'x1'], ['a', '']),
    /1: 1 in transactions without an end: x at 0\n.* is torn: 0 committed, 1 open/,
  )
})

test('a transaction whose records in one partition have two fates is noticed', () => {
  expectProblem(evidence(['ab'], ['a1 -1 a1 b1 +1'], ['ab']), /epoch 0 is torn: 0 aborted and committed/)
})

test('a record outside of transactions is noticed', () => {
  expectProblem(evidence(['ab'], ['a1 +1 b0'], ['ab']), /0: 1 outside of any transaction: b at 2/)
})

test('transactions of one epoch, as before KIP-890, are told apart by their markers', () => {
  const entries: LogEntry[] = logOf('a1 -1 a1 b1 +1').map((entry) => ({ ...entry, producerEpoch: 0 }))
  assert.deepEqual(judge({ input: [['a', 'b']], log: [entries], committed: [['a', 'b']] }).problems, [])
})
