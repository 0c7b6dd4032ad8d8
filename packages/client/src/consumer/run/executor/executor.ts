/**
 * Hands records to a handler, several at a time: one after the other within a lane (a partition, or a key of it), lanes beside each other up to
 * `concurrency`. What becomes of what is in hand when the source takes it back, or the run ends, is here; how records begin is in `pump.ts`, and
 * what becomes of them in `record-handling.ts`.
 *
 * Of each partition at most one batch is in hand, besides what waits in lanes; the partition is held at the source meanwhile. That is the back
 * pressure: what is not asked for stays in the source.
 */
import type { Clock } from '@millrace/runtime'
import type { TopicPartition } from '../../../record.ts'
import type { RecordReader, RecordSource } from '../../record-source.ts'
import type { FailureRule } from './failure-rule.ts'
import { InHand } from './in-hand.ts'
import type { PartitionWork } from './partition-work.ts'
import { PartitionWorks, type PartitionWorksOptions } from './partition-works.ts'
import { Pump } from './pump.ts'
import { RecordHandling, type Handle } from './record-handling.ts'
import { RestingRecords } from './resting-records.ts'
import { Turns } from './turns.ts'

export interface ExecutorOptions<K, V> extends Pick<PartitionWorksOptions<K, V>, 'intake' | 'admit'> {
  readonly source: RecordSource<K, V>
  readonly clock: Clock
  readonly handle: Handle<K, V>
  readonly concurrency: number
  readonly failureRule: FailureRule<K, V>
  readonly maxPollIntervalMs: number
}

export class Executor<K, V> implements RecordReader {
  readonly #source: RecordSource<K, V>
  readonly #works: PartitionWorks<K, V>
  readonly #turns = new Turns<K, V>()
  readonly #inHand: InHand<K, V>
  readonly #resting: RestingRecords<K, V>
  readonly #handling: RecordHandling<K, V>
  readonly #pump: Pump<K, V>
  readonly #stopping = new AbortController()
  #failure: { readonly error: unknown } | null = null

  constructor({
    source,
    clock,
    handle,
    concurrency,
    failureRule,
    maxPollIntervalMs,
    intake,
    admit,
  }: ExecutorOptions<K, V>) {
    const pump = (): void => this.#pump.pump()
    const onFailure = (error: unknown): void => this.#fail(error)
    const turns = this.#turns
    const inHand = new InHand<K, V>({ clock, maxPollIntervalMs, onAlive: () => source.polled() })
    const resting = new RestingRecords({ clock, turns, onTurn: pump })
    const handling = new RecordHandling({
      source,
      clock,
      handle,
      failureRule,
      turns,
      inHand,
      resting,
      onLeft: pump,
      onFailure,
    })
    const onAdmitted = (work: PartitionWork<K, V>): void => {
      turns.queue(work)
      pump()
    }
    const works = new PartitionWorks({ intake, admit, onAdmitted, onFailure })
    const stopping = this.#stopping.signal
    this.#source = source
    this.#works = works
    this.#inHand = inHand
    this.#resting = resting
    this.#handling = handling
    this.#pump = new Pump({
      source,
      clock,
      concurrency,
      works,
      turns,
      inHand,
      resting,
      handling,
      stopping,
      onFailure,
    })
  }

  /** Resolves when the source has ended or the signal aborts, and no handler runs any more. @throws what a handler threw, if the rule says so. */
  async run(signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) return
    using _attached = this.#source.attach(this)
    const stop = (): void => this.#stopping.abort()
    signal?.addEventListener('abort', stop, { once: true })
    this.#source.idle()
    try {
      using _watched = this.#inHand.watch()
      while (await this.#source.available(this.#stopping.signal)) {
        this.#pump.pump()
        // Without room for more, `available` would say yes again and again.
        await this.#pump.room()
      }
    } finally {
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
    for (const work of this.#known(partitions)) {
      work.giveBack()
      this.#handling.dropResting(work)
      // They have a lane to leave.
      this.#turns.unpark(work)
      this.#source.release(work)
    }
    this.#pump.pump()
  }

  paused(partitions: readonly TopicPartition[]): void {
    for (const work of this.#known(partitions)) work.isPaused = true
  }

  resumed(partitions: readonly TopicPartition[]): void {
    for (const work of this.#known(partitions)) {
      work.isPaused = false
      this.#turns.unpark(work)
      this.#turns.queue(work)
    }
    this.#pump.pump()
  }

  #known(partitions: readonly TopicPartition[]): readonly PartitionWork<K, V>[] {
    return partitions.map((partition) => this.#works.find(partition)).filter((work) => work !== undefined)
  }

  #fail(error: unknown): void {
    this.#failure ??= { error }
    this.#stopping.abort()
  }

  async #giveUp(partition: TopicPartition): Promise<void> {
    const work = this.#works.find(partition)
    if (work === undefined) return
    work.isEnding = true
    work.abort(new DOMException('the partition is being taken away, or the consumer closes', 'AbortError'))
    this.#handling.dropResting(work)
    await work.idle()
    work.reportTo(this.#source)
    // What was in hand is of no use; a later assignment of the partition is a new one.
    work.giveBack()
    this.#works.remove(work)
  }

  /** Waits for what is in hand, and gives back the rest. */
  async #end(): Promise<void> {
    this.#stopping.abort()
    this.#resting.close()
    const works = [...this.#works]
    await Promise.all(works.map((work) => work.idle()))
    for (const work of works) {
      work.reportTo(this.#source)
      const { position, isEnding, isFinished } = work
      if (position !== null && !isEnding && !isFinished) this.#source.rewind(position)
      this.#source.release(work)
      work.giveBack()
    }
    this.#works.clear()
  }
}
