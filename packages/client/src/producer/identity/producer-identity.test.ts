/**
 * The rules of sequence numbers, held against a model of a partition's leader: requests are on their way, answers get lost with the connection,
 * batches expire, are refused, the leader forgets. What must hold: nothing is written twice, nothing out of order, what is acknowledged is there;
 * and when the trouble is over everything left is acknowledged soon.
 */
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { addToSequence, ErrorCode } from '@millrace/protocol'
import { simulation } from '@millrace/runtime/testing'
import {
  lastSequenceOf,
  noProducer,
  PartitionSequences,
  precedes,
  type ProducerIdAndEpoch,
  type Sequenced,
} from './partition-sequences.ts'
import { ProducerIdentity } from './producer-identity.ts'

class Batch implements Sequenced {
  readonly number: number
  readonly recordsCount: number
  producer = noProducer
  baseSequence = -1
  isResequenced = false
  attempts = 0
  isSettled = false

  constructor(number: number, recordsCount: number) {
    this.number = number
    this.recordsCount = recordsCount
  }

  assign(producer: ProducerIdAndEpoch, baseSequence: number): void {
    this.producer = producer
    this.baseSequence = baseSequence
  }

  reassign(producer: ProducerIdAndEpoch, baseSequence: number): void {
    this.assign(producer, baseSequence)
    this.isResequenced = true
  }
}

/** A request as it was sent. */
interface Sent {
  readonly batch: Batch
  readonly producer: ProducerIdAndEpoch
  readonly baseSequence: number
}

interface Known {
  epoch: number
  last: number
  recent: { base: number; last: number; offset: bigint }[]
}

/** A leader, as far as sequence numbers go. */
class Leader {
  readonly log: Batch[] = []
  #offset = 0n
  #known: Known | null = null
  refuses = new Set<Batch>()

  forget(): void {
    this.#known = null
  }

  append({ batch, producer, baseSequence }: Sent): { code: number; offset: bigint } {
    const known = this.#known
    const lastSequence = addToSequence(baseSequence, batch.recordsCount - 1)
    if (known !== null && producer.epoch < known.epoch) return { code: ErrorCode.INVALID_PRODUCER_EPOCH, offset: -1n }
    if (known !== null && producer.epoch === known.epoch) {
      const same = known.recent.find(({ base, last }) => base === baseSequence && last === lastSequence)
      if (same !== undefined) return { code: ErrorCode.NONE, offset: same.offset }
      if (baseSequence !== addToSequence(known.last, 1)) {
        const isOld = precedes(baseSequence, known.last)
        return {
          code: isOld ? ErrorCode.DUPLICATE_SEQUENCE_NUMBER : ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
          offset: -1n,
        }
      }
    } else if (known !== null && baseSequence !== 0) {
      return { code: ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, offset: -1n }
    }
    if (this.refuses.has(batch)) return { code: ErrorCode.INVALID_RECORD, offset: -1n }
    const recent = known !== null && producer.epoch === known.epoch ? known.recent : []
    this.#known = {
      epoch: producer.epoch,
      last: lastSequence,
      recent: [...recent, { base: baseSequence, last: lastSequence, offset: this.#offset }].slice(-5),
    }
    this.log.push(batch)
    const offset = this.#offset
    this.#offset += BigInt(batch.recordsCount)
    return { code: ErrorCode.NONE, offset }
  }
}

/** What accumulator and sender do with batches, no more than that. */
class Model {
  readonly queue = { sequences: new PartitionSequences<Batch>() }
  readonly identity = new ProducerIdentity<Batch, Model['queue']>({ isTransactional: false })
  readonly leader = new Leader()
  readonly waiting: Batch[] = []
  /** On their way to the leader, and answers on their way back, in order. */
  requests: Sent[] = []
  answers: { sent: Sent; code: number; offset: bigint }[] = []
  readonly acked: Batch[] = []
  readonly failed: Batch[] = []
  #next = 0

  constructor(firstSequence: number) {
    this.identity.become({ id: 1n, epoch: 0 })
    if (firstSequence === 0) return
    // One that a leader knows already, with numbers that are about to go round, perhaps.
    const filler = new Batch(-1, firstSequence)
    this.identity.drained(this.queue, filler)
    const { offset } = this.leader.append({ batch: filler, producer: filler.producer, baseSequence: 0 })
    this.identity.acked(this.queue, filler, offset)
  }

  add(recordsCount: number): void {
    this.waiting.push(new Batch(this.#next++, recordsCount))
  }

  pass(): void {
    this.identity.resolve()
    this.identity.bumpIfNeeded()
    if (!this.identity.hasId) this.identity.become({ id: 1n, epoch: 0 })
    while (this.requests.length + this.answers.length < 5) {
      const batch = this.waiting[0]
      if (batch === undefined || !this.identity.mayDrain(this.queue, batch)) return
      this.waiting.shift()
      this.identity.drained(this.queue, batch)
      batch.attempts++
      batch.isResequenced = false
      this.requests.push({ batch, producer: batch.producer, baseSequence: batch.baseSequence })
    }
  }

  /** The leader handles the oldest request. */
  handle(): void {
    const sent = this.requests.shift()
    if (sent !== undefined) this.answers.push({ sent, ...this.leader.append(sent) })
  }

  /** The oldest answer arrives. */
  answer(): void {
    const answer = this.answers.shift()
    if (answer !== undefined) this.#settle(answer.sent.batch, answer.code, answer.offset)
  }

  /** The connection breaks: the leader may have handled some of what was on its way. */
  breakConnection(handled: number): void {
    for (let count = 0; count < handled; count++) this.handle()
    const lost = [...this.answers.map(({ sent }) => sent), ...this.requests]
    this.answers = []
    this.requests = []
    for (const { batch } of lost) this.#settle(batch, ErrorCode.NETWORK_EXCEPTION, -1n)
  }

  /** The oldest batch that is not settled is given up. */
  expireOldest(): void {
    const unsettled = [
      ...this.answers.map(({ sent }) => sent.batch),
      ...this.requests.map(({ batch }) => batch),
      ...this.waiting,
    ]
    const oldest = unsettled
      .filter(({ isSettled }) => !isSettled)
      .toSorted((one, other) => one.number - other.number)[0]
    if (oldest === undefined) return
    const at = this.waiting.indexOf(oldest)
    if (at >= 0) this.waiting.splice(at, 1)
    this.#fail(oldest, ErrorCode.REQUEST_TIMED_OUT, false)
    if (oldest.attempts > 0) this.identity.becameUnresolved(this.queue, oldest)
  }

  get isIdle(): boolean {
    return this.waiting.length + this.requests.length + this.answers.length === 0
  }

  #settle(batch: Batch, code: number, offset: bigint): void {
    if (code === ErrorCode.NONE || (code === ErrorCode.DUPLICATE_SEQUENCE_NUMBER && !batch.isSettled)) {
      this.identity.acked(this.queue, batch, offset)
      if (!batch.isSettled) this.acked.push(batch)
      batch.isSettled = true
      return
    }
    if (batch.isSettled) return
    if (this.identity.canRetry(this.queue, batch, { errorCode: code, logStartOffset: -1n })) {
      const at = this.waiting.findIndex(
        (other) => other.baseSequence < 0 || !precedes(other.baseSequence, batch.baseSequence),
      )
      this.waiting.splice(at < 0 ? this.waiting.length : at, 0, batch)
    } else this.#fail(batch, code, true)
  }

  #fail(batch: Batch, code: number, isRefused: boolean): void {
    batch.isSettled = true
    this.failed.push(batch)
    if (batch.baseSequence >= 0) this.identity.failed(this.queue, batch, code, isRefused)
  }
}

function check({ leader, acked }: Model, seed: number): void {
  const numbers = leader.log.map(({ number }) => number)
  assert.equal(new Set(numbers).size, numbers.length, `seed ${seed}: written once: ${numbers.join()}`)
  assert.deepEqual(
    numbers,
    numbers.toSorted((one, other) => one - other),
    `seed ${seed}: in order`,
  )
  for (const batch of acked) assert.ok(leader.log.includes(batch), `seed ${seed}: ${batch.number} was acknowledged`)
}

function run(seed: number, faults: readonly ('break' | 'expire' | 'refuse' | 'forget')[], firstSequence = 0): void {
  const { random } = simulation(seed)
  const model = new Model(firstSequence)
  for (let step = 0; step < 400; step++) {
    switch (random.integer(8)) {
      case 0:
      case 1:
        model.add(1 + random.integer(3))
        break
      case 2:
      case 3:
        model.handle()
        break
      case 4:
      case 5:
        model.answer()
        break
      case 6:
        model.pass()
        break
      case 7: {
        if (random.integer(4) > 0 || faults.length === 0) break
        const fault = faults[random.integer(faults.length)]!
        if (fault === 'break') model.breakConnection(random.integer(model.requests.length + 1))
        else if (fault === 'expire') model.expireOldest()
        else if (fault === 'forget') model.leader.forget()
        else if (model.waiting.length > 0)
          model.leader.refuses.add(model.waiting[random.integer(model.waiting.length)]!)
        break
      }
    }
    check(model, seed)
  }
  const failedBefore = model.failed.filter((batch) => !model.leader.refuses.has(batch)).length
  for (let round = 0; round < 500 && !model.isIdle; round++) {
    model.pass()
    model.handle()
    model.answer()
  }
  check(model, seed)
  assert.ok(model.isIdle, `seed ${seed}: everything is settled, but ${model.waiting.length} wait`)
  const failed = model.failed.filter((batch) => !model.leader.refuses.has(batch))
  assert.equal(failed.length, failedBefore, `seed ${seed}: nothing fails without a fault`)
}

const seeds = Array.from({ length: 200 }, (_, index) => index + 1)

test('broken connections lose nothing, double nothing and reorder nothing', () => {
  for (const seed of seeds) run(seed, ['break'])
})

test('the same where sequence numbers go round', () => {
  for (const seed of seeds) run(seed, ['break'], 0x7fff_ffff - (seed % 50))
})

test('batches that expire take nothing with them', () => {
  for (const seed of seeds) run(seed, ['break', 'expire'])
})

/**
 * A leader that knows nothing of a producer takes any number for the first one. So had it refused the very first batch and taken those behind it,
 * the first could never be written: nothing follows until it is acknowledged. Kafka's own producer has this gap.
 */
test('batches that a leader refuses take nothing with them, whether or not it knows the producer', () => {
  for (const firstSequence of [0, 1]) for (const seed of seeds) run(seed, ['refuse', 'break'], firstSequence)
})

test('a new id is taken when epochs run out', () => {
  const model = new Model(0)
  model.identity.become({ id: 1n, epoch: 0x7fff })
  model.add(1)
  model.pass()
  model.requests = []
  const [batch] = [model.queue.sequences.first!]
  model.identity.failed(model.queue, batch, ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, true)
  model.identity.bumpIfNeeded()
  assert.equal(model.identity.hasId, false)
  model.identity.become({ id: 2n, epoch: 0 })
  model.add(2)
  model.pass()
  assert.deepEqual(model.requests[0]!.producer, { id: 2n, epoch: 0 })
  assert.equal(model.requests[0]!.baseSequence, 0)
})

test("what was refused by a transactional producer's leader leaves no gap", () => {
  const queue = { sequences: new PartitionSequences<Batch>() }
  const identity = new ProducerIdentity<Batch, typeof queue>({ isTransactional: true })
  identity.become({ id: 1n, epoch: 3 })
  const batches = [2, 3, 4].map((count, number) => new Batch(number, count))
  for (const batch of batches) identity.drained(queue, batch)
  assert.deepEqual(batches.map(lastSequenceOf), [1, 4, 8])
  identity.failed(queue, batches[0]!, ErrorCode.MESSAGE_TOO_LARGE, true)
  assert.deepEqual(
    batches.slice(1).map(({ baseSequence }) => baseSequence),
    [0, 3],
  )
  assert.equal(queue.sequences.next, 7)
})
