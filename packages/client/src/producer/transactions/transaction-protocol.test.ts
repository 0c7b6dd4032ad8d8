import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TransactionProtocol } from './transaction-protocol.ts'

const features = (epoch: bigint, level: number) => ({ epoch, levels: new Map([['transaction.version', level]]) })

test('an epoch that was spoiled is followed by a new one, once, when the transaction is ended', () => {
  const protocol = new TransactionProtocol()
  protocol.coordinatorBumpsEpochs = true
  protocol.begin(features(1n, 1))
  assert.equal(protocol.givesNewEpochs, true)
  assert.equal(protocol.transactionEnded(features(1n, 1)), false)
  protocol.spoilEpoch()
  assert.equal(protocol.transactionEnded(features(1n, 1)), true)
  assert.equal(protocol.transactionEnded(features(1n, 1)), false)
})

test('a coordinator that gives no epochs is not asked for one', () => {
  const protocol = new TransactionProtocol()
  protocol.begin(features(-1n, 0))
  protocol.spoilEpoch()
  assert.equal(protocol.givesNewEpochs, false)
  assert.equal(protocol.transactionEnded(features(-1n, 0)), false)
})

test('by transaction.version 2 the end of a transaction brings the epoch, so none is asked for', () => {
  const protocol = new TransactionProtocol()
  protocol.coordinatorBumpsEpochs = true
  protocol.begin(features(1n, 2))
  assert.equal(protocol.isVersion2, true)
  protocol.spoilEpoch()
  assert.equal(protocol.transactionEnded(features(1n, 2)), false)
})

test('an upgrade counts from the end of a transaction on, in a new epoch; old news and a downgrade need none', () => {
  const protocol = new TransactionProtocol()
  protocol.begin(features(1n, 0))
  assert.equal(protocol.transactionEnded(features(2n, 2)), true)
  assert.equal(protocol.isVersion2, true)
  // From a broker that has not heard of it.
  assert.equal(protocol.transactionEnded(features(1n, 0)), false)
  assert.equal(protocol.isVersion2, true)
  assert.equal(protocol.transactionEnded(features(3n, 0)), false)
  assert.equal(protocol.isVersion2, false)
})
