/**
 * One offset per partition of a log directory: `recovery-point-offset-checkpoint`, `replication-offset-checkpoint` (high watermarks),
 * `log-start-offset-checkpoint` and `cleaner-offset-checkpoint` (first dirty offsets). The text form of text-checkpoint.ts with lines `<topic> <partition> <offset>`.
 * Source: Kafka's OffsetCheckpointFile.
 */
import { dirname } from 'node:path'
import type { Disk, DiskFile } from '@millrace/runtime'
import {
  checkpointInteger,
  CorruptCheckpointError,
  decodeTextCheckpoint,
  encodeTextCheckpoint,
} from '../text-checkpoint.ts'

/** By `<topic> <partition>`, as in the file. */
export type PartitionOffsets = ReadonlyMap<string, bigint>

export function partitionKey(topic: string, partition: number): string {
  return `${topic} ${partition}`
}

export function encodeOffsetCheckpoint(offsets: PartitionOffsets): Uint8Array {
  const lines: string[] = []
  for (const [key, offset] of offsets) lines.push(`${key} ${offset}`)
  return encodeTextCheckpoint(lines)
}

/** @throws CorruptCheckpointError */
export function decodeOffsetCheckpoint(bytes: Uint8Array, path: string): Map<string, bigint> {
  const offsets = new Map<string, bigint>()
  // Kafka creates the file empty before it first writes it.
  if (bytes.length === 0) return offsets
  for (const [topic, partition, offset] of decodeTextCheckpoint(bytes, path, 3))
    offsets.set(partitionKey(topic!, Number(checkpointInteger(partition, path))), checkpointInteger(offset, path))
  return offsets
}

/**
 * One checkpoint file, replaced as a whole and only when its content would change.
 * Invariant: after a crash at any moment the file says what `#onDisk` says, or what `#underWay` says.
 */
export class OffsetCheckpoint {
  readonly path: string
  readonly #disk: Disk
  #onDisk: PartitionOffsets = new Map()
  /** Being written by `write`. */
  #underWay: PartitionOffsets | null = null
  /** `writeNow` has overtaken the write under way, which then comes to nothing. */
  #isOvertaken = false
  #lastWrite: Promise<unknown> = Promise.resolve()

  constructor(disk: Disk, path: string) {
    this.#disk = disk
    this.path = path
  }

  /** Empty when there is no file. @throws CorruptCheckpointError, or the disk's error. */
  read(): Map<string, bigint> {
    if (!this.#disk.existsSync(this.path)) return new Map()
    const offsets = decodeOffsetCheckpoint(this.#disk.readFileSync(this.path), this.path)
    this.#onDisk = new Map(offsets)
    return offsets
  }

  /** Whether the next start may find an offset for this partition. */
  mentions(key: string): boolean {
    return this.#onDisk.has(key) || this.#underWay?.has(key) === true
  }

  /**
   * Replaces the file by what `offsets` returns; writes come one after another, each with the offsets of its own time. Returns whether
   * the file was replaced. @throws the disk's error; then the old file is still there.
   */
  write(offsets: () => PartitionOffsets): Promise<boolean> {
    const written = this.#lastWrite.then(() => this.#write(offsets()))
    this.#lastWrite = written.catch(() => false)
    return written
  }

  async #write(wanted: PartitionOffsets): Promise<boolean> {
    if (sameOffsets(this.#onDisk, wanted)) return false
    const temporary = `${this.path}.tmp`
    this.#isOvertaken = false
    this.#underWay = wanted
    try {
      const file = this.#openNew(temporary, wanted)
      try {
        await file.sync()
      } finally {
        file.closeSync()
      }
      if (this.#isOvertaken) this.#disk.removeSync(temporary)
      else this.#putInPlace(temporary, wanted)
      return !this.#isOvertaken
    } finally {
      this.#underWay = null
    }
  }

  /** As `write`, but durable when it returns. A write under way is dropped. */
  writeNow(wanted: PartitionOffsets): void {
    const temporary = `${this.path}.now.tmp`
    this.#isOvertaken = true
    const file = this.#openNew(temporary, wanted)
    try {
      file.syncSync()
    } finally {
      file.closeSync()
    }
    this.#putInPlace(temporary, wanted)
  }

  #openNew(temporary: string, offsets: PartitionOffsets): DiskFile {
    const file = this.#disk.openSync(temporary, 'create')
    file.truncateSync(0)
    file.writeSync([encodeOffsetCheckpoint(offsets)], 0)
    return file
  }

  #putInPlace(temporary: string, offsets: PartitionOffsets): void {
    this.#disk.renameSync(temporary, this.path)
    this.#disk.syncDirectorySync(dirname(this.path))
    this.#onDisk = offsets
  }
}

export { CorruptCheckpointError }

function sameOffsets(a: PartitionOffsets, b: PartitionOffsets): boolean {
  if (a.size !== b.size) return false
  for (const [key, offset] of a) if (b.get(key) !== offset) return false
  return true
}
