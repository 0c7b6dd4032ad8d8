/** The settings of the cleaner; each is asked for when it is needed, so that a change has an effect from then on. */

export interface CleanerConfig {
  /** `log.cleaner.threads`: logs cleaned at once. */
  readonly threads: number
  /** `log.cleaner.dedupe.buffer.size`: bytes for the maps of keys of all threads. */
  readonly dedupeBufferBytes: number
  /** `log.cleaner.io.buffer.load.factor`: how full a map may get. */
  readonly loadFactor: number
  /** `log.cleaner.io.buffer.size`: bytes for read and write buffers of all threads. */
  readonly ioBufferBytes: number
  /** `log.cleaner.io.max.bytes.per.second`, read and written, of all threads. */
  readonly maxBytesPerSecond: number
  /** `log.cleaner.backoff.ms`: rest when there is nothing to clean. */
  readonly backoffMs: number
}

export const defaultCleanerConfig: CleanerConfig = {
  threads: 1,
  dedupeBufferBytes: 128 * 1024 * 1024,
  loadFactor: 0.9,
  ioBufferBytes: 512 * 1024,
  maxBytesPerSecond: Number.MAX_VALUE,
  backoffMs: 15_000,
}
