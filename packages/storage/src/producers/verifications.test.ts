import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import { endTransactionMarker, ErrorCode } from '@millrace/protocol'
import { LogBench } from '../testing/log-bench.ts'
import type { Verification } from './verifications.ts'

const producerId = 7n

class Producer {
  readonly bench = new LogBench()
  epoch = 0

  begin(baseSequence: number, { isV2 = false } = {}): Verification | null {
    return this.bench.log.producers.beginVerification(
      { producerId, producerEpoch: this.epoch, baseSequence, supportsEpochBump: isV2 },
      this.bench.host.clock.now(),
    )
  }

  send(baseSequence: number, verification: Verification | 'none') {
    return this.bench.append(
      ['v'],
      { producerId, producerEpoch: this.epoch, baseSequence, isTransactional: true },
      { verification },
    )
  }

  async mark(type: 'COMMIT' | 'ABORT', transactionVersion: number): Promise<void> {
    const bytes = endTransactionMarker({
      type,
      coordinatorEpoch: 0,
      producerId,
      producerEpoch: this.epoch,
      timestamp: 0n,
    })
    await this.bench.run(this.bench.start(bytes, { origin: 'coordinator', transactionVersion }).written)
  }

  async refuses(code: number, baseSequence: number, verification: Verification | 'none'): Promise<void> {
    const { logEndOffset } = this.bench.log
    await assert.rejects(() => this.send(baseSequence, verification), { code })
    assert.equal(this.bench.log.logEndOffset, logEndOffset)
  }
}

test('a transaction begins with a verified batch, and goes on without', async () => {
  const producer = new Producer()
  await producer.refuses(ErrorCode.INVALID_TXN_STATE, 0, 'none')
  const verification = producer.begin(0)!
  await producer.send(0, verification)
  assert.equal(producer.begin(1), null)
  await producer.send(1, 'none')
})

test('an answer that is older than a marker is worth nothing', async () => {
  const producer = new Producer()
  await producer.send(0, producer.begin(0)!)
  await producer.mark('COMMIT', 1)
  const stale = producer.begin(1)!
  await producer.mark('ABORT', 1)
  await producer.refuses(ErrorCode.INVALID_TXN_STATE, 1, stale)
  const fresh = producer.begin(1)!
  assert.notEqual(fresh, stale)
  await producer.refuses(ErrorCode.INVALID_TXN_STATE, 1, stale)
  await producer.send(1, fresh)
})

test('the marker of the transaction before does not spoil the verification of the next one, which has its epoch already', async () => {
  const producer = new Producer()
  await producer.send(0, producer.begin(0, { isV2: true })!)
  producer.epoch = 1
  const early = producer.begin(0, { isV2: true })!
  await producer.mark('COMMIT', 2)
  await producer.send(0, early)
})

test('a later batch is not written before an earlier one that was sent back', async () => {
  const producer = new Producer()
  await producer.send(0, producer.begin(0)!)
  await producer.mark('COMMIT', 1)
  const first = producer.begin(1)!
  assert.equal(producer.begin(2), first)
  await producer.refuses(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, 2, first)
  await producer.send(1, first)
  await producer.send(2, 'none')
})

test('a lower sequence lowers the bound, a later epoch begins anew', async () => {
  const producer = new Producer()
  const verification = producer.begin(5)!
  producer.begin(3)
  await producer.refuses(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, 5, verification)
  producer.epoch = 1
  producer.begin(4)
  await producer.send(4, verification)
})

test('a producer of transaction version 2 that is not known begins with sequence 0', async () => {
  const producer = new Producer()
  await producer.refuses(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, 4, producer.begin(4, { isV2: true })!)
  const older = new Producer()
  await older.send(4, older.begin(4)!)
})

test('an old epoch is refused as such, whether or not it is verified', async () => {
  const producer = new Producer()
  producer.epoch = 3
  await producer.send(0, producer.begin(0)!)
  producer.epoch = 2
  assert.throws(() => producer.begin(0), { code: ErrorCode.INVALID_PRODUCER_EPOCH })
  await producer.refuses(ErrorCode.INVALID_PRODUCER_EPOCH, 0, 'none')
})

test('verifications that nobody answers are forgotten with the producers', async () => {
  const producer = new Producer()
  const verification = producer.begin(0)!
  producer.bench.log.removeExpiredProducers(producer.bench.host.clock.now() + 86_400_000)
  await producer.refuses(ErrorCode.INVALID_TXN_STATE, 0, verification)
})

test('who is refused is forgotten, but not who has begun again meanwhile', () => {
  const { producers } = new Producer().bench.log
  const request = { producerId, producerEpoch: 0, baseSequence: 0, supportsEpochBump: false }
  const first = producers.beginVerification(request, 0)!
  producers.verifications.refused(producerId, first)
  assert.equal(producers.verifications.get(producerId), undefined)
  const second = producers.beginVerification(request, 0)!
  producers.verifications.refused(producerId, first)
  assert.equal(producers.verifications.get(producerId), second)
})

test('a producer that is not known yet is asked about whatever its epoch: the coordinator knows better', () => {
  const producer = new Producer()
  producer.epoch = -2
  assert.notEqual(producer.begin(0), null)
})
