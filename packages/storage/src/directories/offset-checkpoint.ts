/**
 * One offset per partition of a log directory: `recovery-point-offset-checkpoint`, `replication-offset-checkpoint` (high watermarks) and
 * `log-start-offset-checkpoint`. The text form of text-checkpoint.ts with lines `<topic> <partition> <offset>`.
 * Source: Kafka's OffsetCheckpointFile.
 */
import type { Disk } from '@millrace/runtime'
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

/** One checkpoint file, replaced as a whole and only when its content would change. */
export class OffsetCheckpoint {
  readonly path: string
  readonly #disk: Disk
  #written: PartitionOffsets = new Map()
  #lastWrite: Promise<unknown> = Promise.resolve()

  constructor(disk: Disk, path: string) {
    this.#disk = disk
    this.path = path
  }

  /** Empty when there is no file. @throws CorruptCheckpointError, or the disk's error. */
  read(): Map<string, bigint> {
    if (!this.#disk.existsSync(this.path)) return new Map()
    const offsets = decodeOffsetCheckpoint(this.#disk.readFileSync(this.path), this.path)
    this.#written = new Map(offsets)
    return offsets
  }

  /**
   * Replaces the file by what `offsets` returns; writes come one after another, each with the offsets of its own time. Returns whether
   * there was something to write. @throws the disk's error; then the old file is still there.
   */
  write(offsets: () => PartitionOffsets): Promise<boolean> {
    const written = this.#lastWrite.then(async () => {
      const wanted = offsets()
      if (sameOffsets(this.#written, wanted)) return false
      await this.#disk.replaceFile(this.path, encodeOffsetCheckpoint(wanted))
      this.#written = wanted
      return true
    })
    this.#lastWrite = written.catch(() => false)
    return written
  }
}

export { CorruptCheckpointError }

function sameOffsets(a: PartitionOffsets, b: PartitionOffsets): boolean {
  if (a.size !== b.size) return false
  for (const [key, offset] of a) if (b.get(key) !== offset) return false
  return true
}
