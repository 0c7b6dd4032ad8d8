/**
 * Begins what may begin: records whose turn it is, then those of batches in hand, then those of the source. Handlers that return no promise cost no
 * promise: they run in a loop, until a time slice is used up.
 */
import type { Clock } from '@millrace/runtime'
import type { ConsumerRecord } from '../../../record.ts'
import type { RecordSource } from '../../record-source.ts'
import type { InHand } from './in-hand.ts'
import type { PartitionWork } from './partition-work.ts'
import type { PartitionWorks } from './partition-works.ts'
import type { RecordHandling } from './record-handling.ts'
import type { RestingRecords } from './resting-records.ts'
import type { Turns } from './turns.ts'

/** How long handlers without promises may keep the event loop. */
const sliceMs = 10

export interface PumpOptions<K, V> {
  readonly source: RecordSource<K, V>
  readonly clock: Clock
  readonly concurrency: number
  readonly works: PartitionWorks<K, V>
  readonly turns: Turns<K, V>
  readonly inHand: InHand<K, V>
  readonly resting: RestingRecords<K, V>
  readonly handling: RecordHandling<K, V>
  /** Nothing begins any more. */
  readonly stopping: AbortSignal
  readonly onFailure: (error: unknown) => void
}

export class Pump<K, V> {
  readonly #options: PumpOptions<K, V>
  #isPumping = false
  #isYielding = false
  #wake: (() => void) | null = null

  constructor(options: PumpOptions<K, V>) {
    this.#options = options
    options.stopping.addEventListener('abort', () => this.#changed())
  }

  /** Resolves when there is room for another record, or nothing is to begin any more. */
  async room(): Promise<void> {
    while (!this.#hasRoom && !this.#isStopping)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
  }

  /** To be called whenever something may have become possible; does nothing while it is being done. */
  pump(): void {
    if (this.#isPumping) return
    this.#isPumping = true
    const { source, clock, turns, inHand, handling, onFailure } = this.#options
    const endMs = clock.monotonicMs() + sliceMs
    try {
      while (this.#hasRoom && !this.#isStopping) {
        const invocation = turns.nextRecord()
        if (invocation !== undefined) {
          handling.resume(invocation)
          if (clock.monotonicMs() >= endMs) this.#yield()
          continue
        }
        const work = turns.nextPartition() ?? this.#take()
        if (work === null) break
        if (!this.#advance(work, endMs)) this.#yield()
      }
      inHand.confirmLife()
      if (inHand.size === 0 && !this.#isYielding) source.idle()
    } catch (error) {
      onFailure(error)
    } finally {
      this.#isPumping = false
    }
    this.#changed()
  }

  get #isStopping(): boolean {
    return this.#options.stopping.aborted
  }

  get #hasRoom(): boolean {
    return this.#options.inHand.size < this.#options.concurrency && !this.#isYielding
  }

  #changed(): void {
    const wake = this.#wake
    this.#wake = null
    wake?.()
  }

  /** Lets what has arrived meanwhile be handled, and goes on after it. */
  #yield(): void {
    this.#isYielding = true
    const goOn = (): void => {
      this.#isYielding = false
      this.pump()
    }
    this.#options.clock.nextTurn().then(goOn, goOn)
  }

  #take(): PartitionWork<K, V> | null {
    const { source, works } = this.#options
    const batch = source.poll()
    if (batch === null) return null
    const work = works.of(batch)
    source.hold(work)
    work.take(batch)
    return work
  }

  /**
   * Begins records of the batch, as far as order, `concurrency` and the bounds allow. Returns false when the time slice is used up. A partition
   * that waits for one of its own records is queued again when that has ended.
   */
  #advance(work: PartitionWork<K, V>, endMs: number): boolean {
    const { clock, source, handling, resting, turns } = this.#options
    const isKeyed = work.intake.ordering === 'key'
    let isInTime = true
    while (isInTime && work.mayBegin && this.#hasRoom && !this.#isStopping) {
      const record = work.next()
      if (record === null) {
        source.release(work)
        break
      }
      if (isKeyed && work.waitsForItsKey(record)) continue
      const waitMs = work.msUntilDue(record, clock)
      if (waitMs > 0) {
        if (isKeyed) {
          resting.add(work.occupy(record), waitMs)
          continue
        }
        this.#waitUntilDue(work, record, waitMs)
        break
      }
      handling.begin(work, record)
      isInTime = clock.monotonicMs() < endMs
    }
    work.reportTo(source)
    turns.queue(work)
    return isInTime
  }

  #waitUntilDue(work: PartitionWork<K, V>, record: ConsumerRecord<K, V>, ms: number): void {
    const { clock, turns } = this.#options
    work.keepForLater(record)
    work.dueTimer = clock.after(ms, () => {
      work.dueTimer = null
      turns.queue(work)
      this.pump()
    })
  }
}
