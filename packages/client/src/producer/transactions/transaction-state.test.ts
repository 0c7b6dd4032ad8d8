import { test } from 'node:test'
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { ErrorCode, KafkaError } from '@millrace/protocol'
import { TransactionState, type TransactionPhase } from './transaction-state.ts'
import { verdictOn, type TransactionalRequest } from './transaction-verdict.ts'

type Target = Exclude<TransactionPhase, 'abortable error' | 'fatal error'>

/** Where each may come from, as Kafka's TransactionManager has it. */
const from: Readonly<Record<Target, readonly TransactionPhase[]>> = {
  uninitialized: ['initializing', 'ready', 'abortable error'],
  initializing: ['uninitialized', 'committing', 'aborting'],
  ready: ['initializing', 'committing', 'aborting'],
  'in transaction': ['ready'],
  committing: ['in transaction'],
  aborting: ['in transaction', 'abortable error'],
}
const targets = Object.keys(from) as Target[]

const step = fc.oneof(
  fc.constantFrom(...targets).map((target) => ({ kind: 'to' as const, target })),
  fc
    .constantFrom<number>(
      ErrorCode.MESSAGE_TOO_LARGE,
      ErrorCode.REQUEST_TIMED_OUT,
      ErrorCode.PRODUCER_FENCED,
      ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
      ErrorCode.INVALID_TXN_STATE,
    )
    .map((code) => ({ kind: 'failed' as const, code })),
  fc.constant({ kind: 'fatal' as const }),
)

test('the phases follow each other as they may, whatever is asked', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const state = new TransactionState('tx')
      let phase: TransactionPhase = 'uninitialized'
      for (const one of steps) {
        if (one.kind === 'to') {
          if (from[one.target].includes(phase)) {
            state.to(one.target, 'op')
            phase = one.target
          } else assert.throws(() => state.to(one.target, 'op'), { code: ErrorCode.INVALID_TXN_STATE })
        } else if (one.kind === 'fatal') {
          state.fatal(new Error('lost'))
          phase = 'fatal error'
        } else {
          state.sendFailed(new KafkaError(one.code))
          const isFatal =
            one.code === ErrorCode.PRODUCER_FENCED || one.code === ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
          const spoils = ['in transaction', 'committing', 'abortable error', 'initializing']
          if (isFatal || phase === 'fatal error') phase = 'fatal error'
          else if (spoils.includes(phase)) phase = 'abortable error'
        }
        assert.equal(state.phase, phase)
        assert.equal(state.error !== null, phase === 'abortable error' || phase === 'fatal error')
        assert.equal(state.hasFatalError, phase === 'fatal error')
        if (state.error === null) state.checkNoError('op')
        else assert.throws(() => state.checkNoError('op'), KafkaError)
        if (phase === 'in transaction') state.checkInTransaction('op')
        else assert.throws(() => state.checkInTransaction('op'), KafkaError)
      }
    }),
  )
})

test('what could have succeeded later spoils the transaction, and is not retriable any more', () => {
  const state = new TransactionState('tx')
  for (const phase of ['initializing', 'ready', 'in transaction'] as const) state.to(phase, 'op')
  const timeout = new KafkaError(ErrorCode.REQUEST_TIMED_OUT)
  state.sendFailed(timeout)
  const error = state.error as KafkaError
  assert.equal(error.code, ErrorCode.TRANSACTION_ABORTABLE)
  assert.equal(error.retriable, false)
  assert.equal(error.cause, timeout)
})

test('the first fatal error stays', () => {
  const state = new TransactionState('tx')
  const first = new KafkaError(ErrorCode.PRODUCER_FENCED)
  state.fatal(first)
  state.fatal(new Error('later'))
  state.sendFailed(new KafkaError(ErrorCode.MESSAGE_TOO_LARGE))
  assert.equal(state.error, first)
})

test('error codes mean what they mean to the Java producer', () => {
  const every: readonly TransactionalRequest[] = [
    'InitProducerId',
    'AddPartitionsToTxn',
    'AddOffsetsToTxn',
    'TxnOffsetCommit',
    'EndTxn (commit)',
    'EndTxn (abort)',
  ]
  for (const request of every) {
    assert.equal(verdictOn(request, ErrorCode.NONE), 'done')
    assert.equal(verdictOn(request, ErrorCode.NOT_COORDINATOR), 'retry elsewhere')
    assert.equal(verdictOn(request, ErrorCode.COORDINATOR_LOAD_IN_PROGRESS), 'retry')
    assert.equal(verdictOn(request, ErrorCode.CONCURRENT_TRANSACTIONS), 'retry')
    assert.equal(verdictOn(request, ErrorCode.INVALID_PRODUCER_EPOCH), 'fenced')
    assert.equal(verdictOn(request, ErrorCode.PRODUCER_FENCED), 'fenced')
    assert.equal(
      verdictOn(request, ErrorCode.TRANSACTION_ABORTABLE),
      request === 'EndTxn (abort)' ? 'fatal' : 'abortable',
    )
  }
  assert.equal(verdictOn('InitProducerId', ErrorCode.CLUSTER_AUTHORIZATION_FAILED), 'not authorized')
  assert.equal(verdictOn('AddPartitionsToTxn', ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED), 'fatal')
  assert.equal(verdictOn('AddPartitionsToTxn', ErrorCode.TOPIC_AUTHORIZATION_FAILED), 'abortable')
  assert.equal(verdictOn('AddPartitionsToTxn', ErrorCode.INVALID_TXN_STATE), 'fatal')
  assert.equal(verdictOn('AddPartitionsToTxn', ErrorCode.UNKNOWN_PRODUCER_ID), 'abortable with new epoch')
  assert.equal(verdictOn('TxnOffsetCommit', ErrorCode.REQUEST_TIMED_OUT), 'retry elsewhere')
  assert.equal(verdictOn('TxnOffsetCommit', ErrorCode.UNKNOWN_TOPIC_OR_PARTITION), 'retry')
  assert.equal(verdictOn('TxnOffsetCommit', ErrorCode.ILLEGAL_GENERATION), 'abortable')
  assert.equal(verdictOn('TxnOffsetCommit', ErrorCode.INVALID_COMMIT_OFFSET_SIZE), 'fatal')
  assert.equal(verdictOn('EndTxn (commit)', ErrorCode.INVALID_PRODUCER_ID_MAPPING), 'fatal')
  assert.equal(verdictOn('AddOffsetsToTxn', 9999), 'fatal')
})
