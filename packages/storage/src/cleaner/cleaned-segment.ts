/** The segment a cleaner writes: batches gathered into large writes, indexed as they come, synced at the end. Its files are `.cleaned`. */
import { silentLogger } from '@millrace/runtime'
import { segmentFileName, type SegmentFileKind } from '../formats/segment-file-name.ts'
import type { AbortedTransaction } from '../formats/transaction-index.ts'
import { defaultLogConfig } from '../log-config.ts'
import type { LogServices } from '../log-services.ts'
import { Segment } from '../segments/segment.ts'

export interface CleanedSegmentOptions {
  readonly services: LogServices
  readonly directory: string
  readonly baseOffset: bigint
  readonly indexIntervalBytes: number
  /** Bytes gathered before a write. */
  readonly bufferBytes: number
}

const leastBufferBytes = 4096
const kinds: readonly SegmentFileKind[] = ['log', 'index', 'timeindex', 'txnindex']

/** Removes what a cleaner that was stopped has left of a segment. */
export function removeCleanedFiles({ disk }: Pick<LogServices, 'disk'>, directory: string, baseOffset: bigint): void {
  for (const kind of kinds) disk.removeSync(`${directory}/${segmentFileName(baseOffset, kind, 'cleaned')}`)
}

/** Invariant: `#segment` has noted what is in its file, and behind that what is in the first `#gathered` bytes of `#buffer`. */
export class CleanedSegment {
  readonly #services: LogServices
  readonly #directory: string
  readonly #segment: Segment
  readonly #buffer: Uint8Array
  #gathered = 0
  #hasTransactions = false

  constructor({ services, directory, baseOffset, indexIntervalBytes, bufferBytes }: CleanedSegmentOptions) {
    removeCleanedFiles(services, directory, baseOffset)
    this.#services = services
    this.#directory = directory
    this.#buffer = new Uint8Array(Math.max(leastBufferBytes, bufferBytes))
    this.#segment = new Segment({
      services,
      logger: silentLogger,
      directory,
      baseOffset,
      sizeBytes: 0,
      config: { ...defaultLogConfig, indexIntervalBytes },
      exists: false,
      hasTransactionIndex: false,
      state: 'cleaned',
    })
    this.#segment.createFile()
  }

  get sizeBytes(): number {
    return this.#segment.sizeBytes
  }

  get hasTransactions(): boolean {
    return this.#hasTransactions
  }

  /** Takes over the batch in `bytes[at..at + sizeBytes)`. Returns the bytes this made it write. */
  append(bytes: Uint8Array, at: number, sizeBytes: number, lastOffset: bigint, maxTimestamp: bigint): number {
    const segment = this.#segment
    if (!segment.canHold(lastOffset))
      throw new Error(`${segment.path}: offset ${lastOffset} is too far from the base offset for an index`)
    let written = 0
    if (this.#gathered + sizeBytes > this.#buffer.length) written = this.#write()
    segment.noteBatch(sizeBytes, lastOffset, maxTimestamp)
    if (sizeBytes <= this.#buffer.length) {
      this.#buffer.set(bytes.subarray(at, at + sizeBytes), this.#gathered)
      this.#gathered += sizeBytes
      return written
    }
    this.#put(bytes.subarray(at, at + sizeBytes))
    return written + sizeBytes
  }

  appendAborted(transaction: AbortedTransaction): void {
    this.#segment.indexes.transactionsForWriting.append(transaction)
    this.#hasTransactions = true
  }

  /** All is on the disk, with its names, when this returns. */
  finish(): void {
    const segment = this.#segment
    this.#write()
    segment.seal()
    for (const kind of kinds) if (kind !== 'txnindex' || this.#hasTransactions) this.#syncFile(kind)
    this.#services.disk.syncDirectorySync(this.#directory)
  }

  /** Lets go of the files; they stay. */
  close(): void {
    this.#segment.closeFiles()
  }

  #write(): number {
    const bytes = this.#gathered
    if (bytes > 0) this.#put(this.#buffer.subarray(0, bytes))
    this.#gathered = 0
    return bytes
  }

  #put(bytes: Uint8Array): void {
    const segment = this.#segment
    const position = segment.writtenBytes
    segment.log.writeSync([bytes], position)
    segment.wrote(position + bytes.length)
  }

  #syncFile(kind: SegmentFileKind): void {
    const path = `${this.#directory}/${segmentFileName(this.#segment.baseOffset, kind, 'cleaned')}`
    this.#services.files.withFile(path, 'write', (file) => file.syncSync())
  }
}
