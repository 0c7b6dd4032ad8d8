/**
 * Appending to a log: checks, offsets, a place in a segment, the indexes. The bytes are staged; what happens when they are written is here
 * too. Source: Kafka's UnifiedLog.append.
 */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import { assignOffsets, checkReplicatedOffsets, endOffsetOf } from './append-offsets.ts'
import type { LogState } from './log-state.ts'
import type { Appended, AppendOptions } from './partition-log-options.ts'
import { checkProducers, type ProducerEffects } from './producers/check-producers.ts'
import { rollSegment } from './segments/segment-turnover.ts'
import type { Segment } from './segments/segment.ts'
import type { ValidatedBatches } from './validation/index.ts'
import { StagedAppends, type StagedAppendsOwner, type WrittenCallback } from './writing/staged-appends.ts'

export class LogAppender implements StagedAppendsOwner {
  readonly #log: LogState
  /** null until the first append: most logs of a broker with many get none for long. */
  #staged: StagedAppends | null = null

  constructor(log: LogState) {
    this.#log = log
  }

  /** Nothing is staged or being written. */
  get isIdle(): boolean {
    return this.#staged === null || this.#staged.isIdle
  }

  /** Resolves when nothing is staged or being written. Never rejects. */
  async drained(): Promise<void> {
    await this.#staged?.drain()
  }

  /** The log is finished: what is staged gets the error. */
  fail(error: Error): void {
    this.#staged?.fail(error)
  }

  /** As `PartitionLog.append`. A failure behind the checks fails the log. */
  append(batches: ValidatedBatches, options: AppendOptions, onWritten: WrittenCallback): Appended {
    const { ends, config, name, producers, health } = this.#log
    const { bytes } = batches
    const { logStartOffset, logEndOffset } = ends
    const isReplica = options.origin === 'replica'
    if (isReplica) checkReplicatedOffsets(batches, logEndOffset, name)
    else assignOffsets(batches, logEndOffset, options.leaderEpoch)
    const first = batches.batches[0]!
    const last = batches.batches[batches.batches.length - 1]!
    const firstOffset = isReplica ? first.baseOffset : logEndOffset
    const lastOffset = isReplica ? endOffsetOf(last) - 1n : logEndOffset + BigInt(batches.offsetsCount) - 1n
    if (!isReplica && bytes.length > config.segmentBytes)
      throw new KafkaError(
        ErrorCode.RECORD_LIST_TOO_LARGE,
        `${name}: ${bytes.length} bytes of records do not fit into a segment of ${config.segmentBytes}`,
      )
    const effects = checkProducers(producers, batches, firstOffset, options)
    if (effects !== null && 'duplicate' in effects) {
      const { duplicate } = effects
      this.#followStaged(duplicate.lastOffset, onWritten)
      return {
        firstOffset: duplicate.lastOffset - BigInt(duplicate.offsetDelta),
        lastOffset: duplicate.lastOffset,
        logAppendTimeMs: duplicate.timestamp,
        logStartOffset,
        duplicate: true,
      }
    }
    try {
      this.#stage(batches, options, firstOffset, lastOffset, effects, onWritten)
    } catch (error) {
      throw health.fail(error as Error)
    }
    return { firstOffset, lastOffset, logAppendTimeMs: batches.logAppendTimeMs, logStartOffset, duplicate: false }
  }

  #stage(
    batches: ValidatedBatches,
    options: AppendOptions,
    firstOffset: bigint,
    lastOffset: bigint,
    effects: ProducerEffects | null,
    onWritten: WrittenCallback,
  ): void {
    const { leaderEpochs, producers, durability, ends, config, services } = this.#log
    const segment = this.#segmentFor(batches, firstOffset, lastOffset)
    const position = segment.sizeBytes
    const isReplica = options.origin === 'replica'
    let offset = firstOffset
    for (const batch of batches.batches) {
      const epoch = isReplica ? batch.partitionLeaderEpoch : options.leaderEpoch
      const start = isReplica ? batch.baseOffset : offset
      if (epoch >= 0) leaderEpochs.assign(epoch, start)
      offset = isReplica ? endOffsetOf(batch) : offset + BigInt(batch.lastOffsetDelta + 1)
      segment.noteBatch(batch.sizeBytes, offset - 1n, batch.maxTimestamp)
    }
    const endOffset = lastOffset + 1n
    ends.staged(endOffset)
    if (effects !== null) this.#applyProducers(effects, segment)
    producers.setMapEndOffset(endOffset)
    this.#staged ??= new StagedAppends(services.appends, this)
    this.#staged.stage(segment, position, batches.bytes, endOffset, {
      callback: onWritten,
      needsSync: durability.demandsSync(endOffset, config.flushMessages),
    })
  }

  #segmentFor(batches: ValidatedBatches, firstOffset: bigint, lastOffset: bigint): Segment {
    const log = this.#log
    const { active } = log.segments
    const shouldRoll = active.shouldRoll({
      sizeBytes: batches.bytes.length,
      lastOffset,
      maxTimestamp: batches.maxTimestamp,
      nowMs: log.services.clock.now(),
      config: log.config,
    })
    if (!shouldRoll) return active
    const { logEndOffset } = log.ends
    return rollSegment(log, firstOffset > logEndOffset ? firstOffset : logEndOffset)
  }

  #applyProducers(effects: ProducerEffects, segment: Segment): void {
    const { producers } = this.#log
    for (const append of effects.appends) producers.commit(append)
    for (const { producerId, epoch, isMarker } of effects.transactional)
      producers.verifications.wrote(producerId, { epoch, isMarker })
    for (const completed of effects.completed) {
      if (completed.isAborted)
        segment.indexes.transactionsForWriting.append({
          producerId: completed.producerId,
          firstOffset: completed.firstOffset,
          lastOffset: completed.lastOffset,
          lastStableOffset: producers.stableOffsetAfter(completed),
        })
      producers.complete(completed)
    }
  }

  /** A repeated batch is acknowledged when the first one would be. */
  #followStaged(lastOffset: bigint, onWritten: WrittenCallback): void {
    const { services, health, durability, config } = this.#log
    const needsSync = config.flushMessages === 1 && lastOffset >= durability.recoveryPoint
    if (this.#staged === null && !needsSync) services.clock.endOfTurn(() => onWritten(health.failure))
    else {
      this.#staged ??= new StagedAppends(services.appends, this)
      const staged = this.#staged
      services.clock.endOfTurn(() => {
        if (health.failure !== null) onWritten(health.failure)
        else staged.follow({ callback: onWritten, needsSync })
      })
    }
  }

  onWritten(segment: Segment, endOffset: bigint): void {
    const { ends, segments, durability, leaderEpochs } = this.#log
    ends.wrote(endOffset)
    if (segment !== segments.active) {
      if (segment.writtenBytes === segment.sizeBytes) durability.sealRolled(segment)
    } else if (segment.wantsIndexFlush) {
      if (leaderEpochs.isPersisted(endOffset)) segment.flushIndexes()
      else void leaderEpochs.persist(endOffset)
    }
  }

  onWriteFailed(error: Error): void {
    this.#log.health.fail(error)
  }

  afterSync(callback: WrittenCallback): void {
    this.#log.durability.afterSync(callback)
  }
}
