/**
 * Hands records to a handler, several at a time: one after the other within a lane (a partition, or a key of it), lanes beside each other up to
 * `concurrency`. Handlers that return no promise cost no promise: they run in a loop until a time slice is used up.
 *
 * Of each partition at most one batch is in hand, besides what waits in lanes; the partition is held at the source meanwhile. That is the back
 * pressure: what is not asked for stays in the source.
 */
import type { Clock, Timer } from '@millrace/runtime'
import type { ConsumerRecord, TopicPartition } from '../../record.ts'
import type { RecordReader, RecordSource } from '../record-source.ts'
import type { HandlerContext } from '../run-options.ts'
import type { FailureRule } from './failure-rule.ts'
import { PartitionWork, type Intake, type Invocation } from './partition-work.ts'

/** How long handlers without promises may keep the event loop. */
const sliceMs = 10
/** How many times within maxPollIntervalMs the source is told that the application is alive. */
const signsOfLife = 10

export interface ExecutorOptions<K, V> {
  readonly source: RecordSource<K, V>
  readonly clock: Clock
  readonly handle: (record: ConsumerRecord<K, V>, context: HandlerContext) => void | Promise<void>
  readonly concurrency: number
  readonly intake: (topic: string) => Intake<K, V>
  readonly failureRule: FailureRule<K, V>
  readonly maxPollIntervalMs: number
  /** What must be done before the first record of a new partition is handled; null: nothing. */
  readonly admit: ((partition: TopicPartition) => Promise<void> | null) | null
}

export class Executor<K, V> implements RecordReader {
  readonly #options: ExecutorOptions<K, V>
  readonly #works = new Map<string, Map<number, PartitionWork<K, V>>>()
  /** Partitions whose next record may begin, in the order of their turns. */
  #queue: PartitionWork<K, V>[] = []
  /** Records that have begun and whose turn it is, once there is room. They go before others. */
  readonly #turns: Invocation<K, V>[] = []
  /** Records in the application's hands or on their way elsewhere. */
  readonly #running = new Set<Invocation<K, V>>()
  /** Of #running, those that ran at the last sign of life. */
  #ranBefore = new Set<Invocation<K, V>>()
  /** Records that wait to be handled (again), with the timer that says when. */
  readonly #resting = new Map<Invocation<K, V>, Timer>()
  readonly #stopping = new AbortController()
  #failure: { readonly error: unknown } | null = null
  #isPumping = false
  #isYielding = false
  #wake: (() => void) | null = null

  constructor(options: ExecutorOptions<K, V>) {
    this.#options = options
  }

  /** Resolves when the source has ended or the signal aborts, and no handler runs any more. @throws what a handler threw, if the rule says so. */
  async run(signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) return
    const { source, clock, maxPollIntervalMs } = this.#options
    using _attached = source.attach(this)
    const stop = (): void => this.#stop()
    signal?.addEventListener('abort', stop, { once: true })
    let timer: Timer
    const signOfLife = (): void => {
      this.#signOfLife()
      timer = clock.after(maxPollIntervalMs / signsOfLife, signOfLife)
    }
    signOfLife()
    try {
      while (await source.available(this.#stopping.signal)) {
        this.#pump()
        // Without room for more, `available` would say yes again and again.
        while (!this.#hasRoom && !this.#isStopping) await this.#change()
      }
    } finally {
      timer!.cancel()
      signal?.removeEventListener('abort', stop)
      await this.#end()
    }
    if (this.#failure !== null) throw this.#failure.error
  }

  async revoked(partitions: readonly TopicPartition[]): Promise<void> {
    await Promise.all(partitions.map((partition) => this.#giveUp(partition)))
  }

  lost(partitions: readonly TopicPartition[]): Promise<void> {
    return this.revoked(partitions)
  }

  moved(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) {
      const work = this.#find(partition)
      if (work === undefined) continue
      work.giveBack()
      this.#dropResting(work)
      // They have a lane to leave.
      this.#turns.push(...work.parked.splice(0))
      this.#options.source.release(work)
    }
    this.#pump()
  }

  paused(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) {
      const work = this.#find(partition)
      if (work !== undefined) work.isPaused = true
    }
  }

  resumed(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) {
      const work = this.#find(partition)
      if (work === undefined) continue
      work.isPaused = false
      this.#turns.push(...work.parked.splice(0))
      this.#enqueue(work)
    }
    this.#pump()
  }

  get #isStopping(): boolean {
    return this.#stopping.signal.aborted
  }

  get #hasRoom(): boolean {
    return this.#running.size < this.#options.concurrency && !this.#isYielding
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }

  #changed(): void {
    const wake = this.#wake
    this.#wake = null
    wake?.()
  }

  #stop(): void {
    this.#stopping.abort()
    this.#changed()
  }

  #fail(error: unknown): void {
    this.#failure ??= { error }
    this.#stop()
  }

  /** Begins what may begin: records whose turn it is, then those of batches in hand, then those of the source. */
  #pump(): void {
    if (this.#isPumping) return
    this.#isPumping = true
    const { clock, source } = this.#options
    const endMs = clock.monotonicMs() + sliceMs
    try {
      while (this.#hasRoom && !this.#isStopping) {
        const turn = this.#turns.shift()
        if (turn !== undefined) {
          this.#takeTurn(turn)
          if (clock.monotonicMs() >= endMs) this.#yield()
          continue
        }
        const work = this.#queue.shift() ?? this.#take()
        if (work === null) break
        work.isQueued = false
        if (!this.#advance(work, endMs)) this.#yield()
      }
      if (this.#ranBefore.size === 0) source.polled()
      if (this.#running.size === 0 && !this.#isYielding) source.idle()
    } catch (error) {
      this.#fail(error)
    } finally {
      this.#isPumping = false
    }
    if (this.#hasRoom || this.#isStopping) this.#changed()
  }

  /** Lets what has arrived meanwhile be handled, and goes on after it. */
  #yield(): void {
    this.#isYielding = true
    const goOn = (): void => {
      this.#isYielding = false
      this.#pump()
    }
    this.#options.clock.nextTurn().then(goOn, goOn)
  }

  #take(): PartitionWork<K, V> | null {
    const { source } = this.#options
    const batch = source.poll()
    if (batch === null) return null
    const work = this.#workOf(batch)
    source.hold(work)
    work.take(batch)
    return work
  }

  #find({ topic, partition }: TopicPartition): PartitionWork<K, V> | undefined {
    return this.#works.get(topic)?.get(partition)
  }

  #workOf({ topic, partition }: TopicPartition): PartitionWork<K, V> {
    let ofTopic = this.#works.get(topic)
    if (ofTopic === undefined) this.#works.set(topic, (ofTopic = new Map()))
    const former = ofTopic.get(partition)
    if (former !== undefined && !former.isEnding) return former
    const work = new PartitionWork({ topic, partition }, this.#options.intake(topic))
    ofTopic.set(partition, work)
    this.#admit(work, former)
    return work
  }

  #admit(work: PartitionWork<K, V>, former: PartitionWork<K, V> | undefined): void {
    const gates: Promise<void>[] = []
    if (former !== undefined) {
      // The partition was taken away and is back, and a handler of before still runs: it comes first.
      work.entered()
      gates.push(former.idle().then(() => work.left()))
    }
    const admission = this.#options.admit?.(work) ?? null
    if (admission !== null) gates.push(admission)
    if (gates.length === 0) return
    work.isGated = true
    Promise.all(gates).then(
      () => {
        work.isGated = false
        this.#enqueue(work)
        this.#pump()
      },
      (error: unknown) => {
        if (!work.isEnding) this.#fail(error)
      },
    )
  }

  #enqueue(work: PartitionWork<K, V>): void {
    if (work.isQueued || !work.mayBegin) return
    work.isQueued = true
    this.#queue.push(work)
  }

  /**
   * Begins records of the batch, as far as order, `concurrency` and the bounds allow. Returns false when the time slice is used up. A partition
   * that waits for one of its own records is queued again when that has ended.
   */
  #advance(work: PartitionWork<K, V>, endMs: number): boolean {
    const { clock, source } = this.#options
    const { intake } = work
    const isKeyed = intake.ordering === 'key'
    let isInTime = true
    while (isInTime && work.mayBegin && this.#hasRoom && !this.#isStopping) {
      const record = work.next()
      if (record === null) {
        source.release(work)
        break
      }
      if (isKeyed && work.waitsForItsKey(record)) continue
      const waitMs = this.#msUntilDue(work, record)
      if (waitMs > 0) {
        if (isKeyed) {
          this.#rest(work.occupy(record), waitMs)
          continue
        }
        this.#waitUntilDue(work, record, waitMs)
        break
      }
      this.#begin(work, record)
      isInTime = clock.monotonicMs() < endMs
    }
    this.#report(work)
    this.#enqueue(work)
    return isInTime
  }

  #report(work: PartitionWork<K, V>): void {
    const progress = work.takeProgress()
    if (progress !== null) this.#options.source.handled(progress)
  }

  /** Handles a record that nothing has been noted of yet: if its handler returns without a promise, nothing ever is. */
  #begin(work: PartitionWork<K, V>, record: ConsumerRecord<K, V>): void {
    const { generation, intake } = work
    const attempt = intake.attempt === null ? 1 : intake.attempt(record)
    let result: unknown
    try {
      result = this.#options.handle(record, work.contextOf(attempt))
    } catch (error) {
      this.#failed(work.occupy(record, generation), error)
      return
    }
    if (isPromise(result)) this.#follow(work.occupy(record, generation), result)
    else if (generation === work.generation) work.prefix.passed(record)
  }

  #takeTurn(invocation: Invocation<K, V>): void {
    const { work, record, attempt } = invocation
    if (!work.isCurrent(invocation)) {
      this.#ended(invocation)
      return
    }
    if (work.isPaused) {
      work.parked.push(invocation)
      return
    }
    // Those that waited for another of their key have not been asked yet.
    const waitMs = this.#msUntilDue(work, record)
    if (waitMs > 0) {
      this.#rest(invocation, waitMs)
      return
    }
    let result: unknown
    try {
      result = this.#options.handle(record, work.contextOf(attempt))
    } catch (error) {
      this.#failed(invocation, error)
      return
    }
    if (isPromise(result)) {
      this.#follow(invocation, result)
    } else {
      this.#finished(invocation)
      this.#report(work)
    }
  }

  /** The promise of its handler will say. */
  #follow(invocation: Invocation<K, V>, result: PromiseLike<unknown>): void {
    this.#running.add(invocation)
    invocation.work.entered()
    const settled = result instanceof Promise ? result : Promise.resolve(result)
    settled.then(
      () => {
        this.#finished(invocation)
        this.#left(invocation)
      },
      (error: unknown) => {
        const elsewhere = this.#judge(invocation, error)
        if (elsewhere === null) this.#left(invocation)
        else this.#followElsewhere(invocation, elsewhere)
      },
    )
  }

  /** It is out of the application's hands: there is room for another. */
  #left(invocation: Invocation<K, V>): void {
    this.#running.delete(invocation)
    this.#ranBefore.delete(invocation)
    const { work } = invocation
    this.#report(work)
    work.left()
    this.#pump()
    // Also when nothing could begin: there is room, or everything has ended.
    this.#changed()
  }

  #finished(invocation: Invocation<K, V>): void {
    const { work, generation, slot } = invocation
    if (generation === work.generation) work.prefix.finish(slot)
    this.#ended(invocation)
  }

  /** Those behind it in its order may go on. */
  #ended(invocation: Invocation<K, V>): void {
    const { work } = invocation
    const next = work.leaveLane(invocation)
    if (next !== null) this.#turns.push(next)
    this.#enqueue(work)
  }

  #failed(invocation: Invocation<K, V>, error: unknown): void {
    const elsewhere = this.#judge(invocation, error)
    if (elsewhere === null) return
    this.#running.add(invocation)
    invocation.work.entered()
    this.#followElsewhere(invocation, elsewhere)
  }

  /** What brings the record to safety, if that is the verdict: it takes up room until then. */
  #judge(invocation: Invocation<K, V>, error: unknown): Promise<unknown> | null {
    const { work, record, attempt } = invocation
    if (!work.isCurrent(invocation)) {
      // Whoever reads the partition next gets it again.
      this.#ended(invocation)
      return null
    }
    try {
      const verdict = this.#options.failureRule.judge({ record, error, attempt })
      if (verdict === 'throw') {
        this.#fail(error)
      } else if ('againInMs' in verdict) {
        invocation.attempt++
        this.#rest(invocation, verdict.againInMs)
      } else {
        return verdict.elsewhere
      }
    } catch (ruleError) {
      this.#fail(ruleError)
    }
    return null
  }

  #followElsewhere(invocation: Invocation<K, V>, elsewhere: Promise<unknown>): void {
    // Its handler has ended: the application is alive.
    this.#ranBefore.delete(invocation)
    elsewhere.then(
      () => {
        this.#finished(invocation)
        this.#left(invocation)
      },
      (error: unknown) => {
        this.#fail(error)
        this.#left(invocation)
      },
    )
  }

  /** Its lane waits with it; nothing else does, and it takes up no room. */
  #rest(invocation: Invocation<K, V>, ms: number): void {
    if (this.#isStopping) return
    const timer = this.#options.clock.after(ms, () => {
      this.#resting.delete(invocation)
      this.#turns.push(invocation)
      this.#pump()
    })
    this.#resting.set(invocation, timer)
  }

  #msUntilDue({ intake }: PartitionWork<K, V>, record: ConsumerRecord<K, V>): number {
    return intake.dueMs === null ? 0 : intake.dueMs(record) - this.#options.clock.now()
  }

  #waitUntilDue(work: PartitionWork<K, V>, record: ConsumerRecord<K, V>, ms: number): void {
    work.keepForLater(record)
    work.dueTimer = this.#options.clock.after(ms, () => {
      work.dueTimer = null
      this.#enqueue(work)
      this.#pump()
    })
  }

  #dropResting(work: PartitionWork<K, V>): void {
    for (const [invocation, timer] of this.#resting) {
      if (invocation.work !== work) continue
      timer.cancel()
      this.#resting.delete(invocation)
      this.#ended(invocation)
    }
  }

  async #giveUp(partition: TopicPartition): Promise<void> {
    const work = this.#find(partition)
    if (work === undefined) return
    work.isEnding = true
    work.abort(new DOMException('the partition is being taken away, or the consumer closes', 'AbortError'))
    this.#dropResting(work)
    await work.idle()
    this.#report(work)
    // What was in hand is of no use; a later assignment of the partition is a new one.
    work.giveBack()
    if (this.#find(partition) === work) this.#works.get(work.topic)?.delete(work.partition)
  }

  /** Waits for what is in hand, and gives back the rest. */
  async #end(): Promise<void> {
    this.#stop()
    for (const timer of this.#resting.values()) timer.cancel()
    this.#resting.clear()
    const { source } = this.#options
    const works = [...this.#works.values()].flatMap((ofTopic) => [...ofTopic.values()])
    await Promise.all(works.map((work) => work.idle()))
    for (const work of works) {
      this.#report(work)
      const { position, isEnding, isFinished } = work
      if (position !== null && !isEnding && !isFinished) source.rewind(position)
      source.release(work)
      work.giveBack()
    }
    this.#works.clear()
  }

  /** Says that the application is alive, unless a handler that ran when this was last said still does. */
  #signOfLife(): void {
    if (this.#ranBefore.size > 0) return
    this.#options.source.polled()
    this.#ranBefore = new Set(this.#running)
  }
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}
