/**
 * One partition of a coordinator's topic while this broker leads it: loads the shard, then writes what it decides.
 *
 * A decision is appended first and replayed after that, in one synchronous block: so an append that is refused (too large, too few in-sync
 * replicas) leaves the state as it was, and the state never holds what the log does not. What was appended but will never be committed (the
 * log has failed, leadership is lost) ends the host with its state; the next leader loads what is in the log.
 *
 * Decisions see everything that was decided before them, committed or not. An answer leaves when all that it could have seen is committed.
 */
import { endTransactionMarker, ErrorCode, KafkaError, type RecordTypes } from '@millrace/protocol'
import type { Clock, Logger, Random } from '@millrace/runtime'
import { validateRecords, type ValidatedBatches } from '@millrace/storage'
import type { MetadataImage } from '../../metadata/image.ts'
import type { Partition, PartitionAppend } from '../../partitions/partition.ts'
import { toCoordinatorError } from './append-errors.ts'
import { buildBatches, decodeRecord, encodeRecords } from './coordinator-batch.ts'
import type { CoordinatorShard, ShardContext, TransactionResult } from './coordinator-shard.ts'
import type { Decision, ProducerIdentity } from './decision.ts'
import { loadShard } from './load-shard.ts'
import { ShardTimers } from './shard-timers.ts'

export interface ShardHostOptions<S extends CoordinatorShard> {
  readonly partition: Partition
  readonly types: RecordTypes
  readonly makeShard: (context: ShardContext) => S
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly image: () => MetadataImage
  readonly loadBufferBytes: number
  /** How long a write may take until it is committed. Its records stay in the log when it takes longer. */
  readonly writeTimeoutMs: () => number
  /** Codec number of the batches. */
  readonly compression: () => number
}

export interface TransactionMarker extends ProducerIdentity {
  readonly result: TransactionResult
  readonly coordinatorEpoch: number
  readonly transactionVersion: number
}

type State = 'loading' | 'active' | 'failed' | 'closed'

export class ShardHost<S extends CoordinatorShard> {
  readonly partition: Partition
  readonly #options: ShardHostOptions<S>
  readonly #logger: Logger
  readonly #timers: ShardTimers
  readonly #shard: S
  #state: State = 'loading'
  /** Everything below is applied to the shard. */
  #appliedOffset = 0n
  /** To be told when the host ends before their records are committed. */
  readonly #uncommitted = new Set<(error: KafkaError) => void>()

  constructor(options: ShardHostOptions<S>) {
    const { partition, clock, random, image } = options
    this.partition = partition
    this.#options = options
    this.#logger = options.logger.child({ coordinator: partition.name })
    this.#timers = new ShardTimers({ clock, logger: this.#logger, write: (decide) => this.write(() => decide()) })
    this.#shard = options.makeShard({
      partition: partition.index,
      get epoch() {
        return partition.leaderEpoch
      },
      clock,
      random,
      logger: this.#logger,
      timers: this.#timers,
      get image() {
        return image()
      },
      write: (decide) => this.write(() => decide()),
    })
  }

  get isActive(): boolean {
    return this.#state === 'active'
  }

  get isLoading(): boolean {
    return this.#state === 'loading'
  }

  /** Resolves when it is active, has failed, or was closed. */
  async load(): Promise<void> {
    const { types, clock, loadBufferBytes, image } = this.#options
    const startMs = clock.monotonicMs()
    try {
      const loaded = await loadShard({
        log: this.partition.log,
        shard: this.#shard,
        types,
        bufferBytes: loadBufferBytes,
        clock,
        logger: this.#logger,
        isStopped: () => this.#state !== 'loading',
      })
      if (loaded === null || this.#state !== 'loading') return
      this.#appliedOffset = loaded.endOffset
      this.#state = 'active'
      this.#shard.metadataChanged?.(image(), null)
      this.#shard.loaded?.()
      const { records, sizeBytes } = loaded
      if (records > 0)
        this.#logger.info('the coordinator has loaded its partition', {
          records,
          sizeBytes,
          tookMs: Math.round(clock.monotonicMs() - startMs),
        })
    } catch (error) {
      if (this.#state !== 'loading') return
      this.#logger.error('the coordinator cannot load its partition, which stays without one', { error })
      this.#end('failed', new KafkaError(ErrorCode.NOT_COORDINATOR))
    }
  }

  metadataChanged(image: MetadataImage, changedTopics: ReadonlySet<string> | null): void {
    if (this.#state === 'active') this.#shard.metadataChanged?.(image, changedTopics)
  }

  /**
   * Rejects with what `decide` throws, or KafkaError COORDINATOR_LOAD_IN_PROGRESS, NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE (too few
   * in-sync replicas, or not committed in time), UNKNOWN_SERVER_ERROR (the records are too large).
   */
  async write<T>(decide: (shard: S) => Decision<T>): Promise<T> {
    const decision = decide(this.#active())
    try {
      if (decision.records.length > 0) this.#append(decision)
    } catch (error) {
      const refusal = toCoordinatorError(error)
      decision.settled?.(refusal)
      throw refusal
    }
    decision.applied?.()
    try {
      await this.#committed(decision.settled)
    } catch (error) {
      // Nobody waits for it any more, and `settled` has told the state machine.
      if (decision.response instanceof Promise) decision.response.catch(() => {})
      throw error
    }
    return decision.response
  }

  /** What `look` returns, when all that it could have seen is committed. Rejects as `write`. */
  async read<T>(look: (shard: S) => T): Promise<T> {
    const seen = look(this.#active())
    if (this.#isCommitted(this.#appliedOffset)) return seen
    await this.#committed()
    return seen
  }

  /** Ends the transaction of a producer that may have pending records here. Rejects as `write`, and with what the log refuses. */
  async endTransaction(marker: TransactionMarker): Promise<void> {
    const { producerId, producerEpoch, result, coordinatorEpoch, transactionVersion } = marker
    const shard = this.#active()
    const timestamp = BigInt(this.#options.clock.now())
    const batch = endTransactionMarker({ type: result, producerId, producerEpoch, coordinatorEpoch, timestamp })
    const { lastOffset } = this.#appendBatch(batch, { transactionVersion })
    this.#applying(() => shard.endTransaction?.({ producerId, producerEpoch }, result))
    this.#appliedOffset = lastOffset + 1n
    await this.#committed()
  }

  /** This broker does not lead the partition any more, or stops. */
  close(): void {
    if (this.#state !== 'closed') this.#end('closed', new KafkaError(ErrorCode.NOT_COORDINATOR))
  }

  #end(state: 'failed' | 'closed', error: KafkaError): void {
    const wasLoaded = this.#state === 'active'
    this.#state = state
    this.#timers.close()
    if (wasLoaded) this.#shard.unloaded?.()
    const waiting = [...this.#uncommitted]
    this.#uncommitted.clear()
    for (const refuse of waiting) refuse(error)
  }

  #active(): S {
    if (this.#state === 'active') return this.#shard
    if (this.#state === 'loading') throw new KafkaError(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
    throw new KafkaError(ErrorCode.NOT_COORDINATOR)
  }

  #append({ records, replays = true, isAtomic = true, transaction, verification }: Decision<unknown>): void {
    const { clock, compression } = this.#options
    const { maxMessageBytes } = this.partition.log.config
    const encoded = encodeRecords(records, isAtomic && compression() === 0 ? maxMessageBytes : Infinity)
    const batches = buildBatches(
      encoded,
      { timestamp: BigInt(clock.now()), compression: compression(), transaction },
      maxMessageBytes,
      isAtomic,
    )
    let next = 0
    for (const batch of batches) {
      const { firstOffset, lastOffset } = this.#appendBatch(batch, verification === undefined ? {} : { verification })
      const count = Number(lastOffset - firstOffset) + 1
      if (replays)
        this.#applying(() => {
          for (let delta = 0; delta < count; delta++) {
            const { key, value } = encoded[next + delta]!
            const record = decodeRecord(this.#options.types, key, value)
            if (record === null) throw new Error(`a record of an undeclared type was written`)
            this.#shard.replay(record, {
              offset: firstOffset + BigInt(delta),
              transaction: transaction ?? null,
            })
          }
        })
      next += count
      this.#appliedOffset = lastOffset + 1n
    }
  }

  #appendBatch(
    batch: Uint8Array,
    options: Pick<PartitionAppend, 'transactionVersion' | 'verification'>,
  ): { firstOffset: bigint; lastOffset: bigint } {
    const { partition } = this
    const { clock } = this.#options
    const log = partition.logToAppendTo(-1)
    const validated = validateRecords(batch, {
      origin: 'coordinator',
      config: log.config,
      nowMs: clock.now(),
      partition: partition.name,
    }) as ValidatedBatches
    return partition.append(validated, { acks: -1, origin: 'coordinator', ...options }, (errorCode) => {
      if (errorCode !== ErrorCode.NONE) this.#failed(errorCode)
    })
  }

  /** What is in the log but cannot be applied is a bug; going on with half of it would make it worse. */
  #applying(apply: () => void): void {
    try {
      apply()
    } catch (error) {
      this.#logger.error('the coordinator cannot apply what it has written; it stops', { error })
      this.#end('failed', new KafkaError(ErrorCode.NOT_COORDINATOR))
      throw new KafkaError(ErrorCode.NOT_COORDINATOR)
    }
  }

  #failed(errorCode: number): void {
    if (this.#state === 'closed' || this.#state === 'failed') return
    this.#logger.error('the coordinator stops: its log has failed', { errorCode })
    this.#end('failed', new KafkaError(ErrorCode.NOT_COORDINATOR))
  }

  #isCommitted(offset: bigint): boolean {
    return !this.partition.isOffline && this.partition.log.highWatermark >= offset
  }

  /** Resolves when everything applied up to now is committed. Rejects as `write`. */
  #committed(settled?: (error: KafkaError | null) => void): Promise<void> {
    const offset = this.#appliedOffset
    if (this.#isCommitted(offset)) {
      settled?.(null)
      return nothingToWaitFor
    }
    return new Promise((resolve, reject) => {
      const { clock, writeTimeoutMs } = this.#options
      let isSettled = false
      const settle = (error: KafkaError | null): void => {
        if (isSettled) return
        isSettled = true
        timer.cancel()
        forget?.()
        this.#uncommitted.delete(settle)
        settled?.(error)
        if (error === null) resolve()
        else reject(error)
      }
      const timer = clock.after(writeTimeoutMs(), () => settle(new KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE)))
      this.#uncommitted.add(settle)
      // eslint-disable-next-line prefer-const -- `settle` may be called before it is assigned
      let forget: (() => void) | null | undefined
      forget = this.partition.whenReplicated(offset, (errorCode) =>
        settle(isReplicated(errorCode) ? null : toCoordinatorError(new KafkaError(errorCode))),
      )
    })
  }
}

const nothingToWaitFor = Promise.resolve()

/** What the high watermark has passed is committed, however few replicas are in sync by now. */
function isReplicated(errorCode: number): boolean {
  return errorCode === ErrorCode.NONE || errorCode === ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND
}
