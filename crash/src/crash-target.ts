/** What can be killed: a process that keeps a log. */

export interface CrashPartition {
  readonly topic: string
  readonly partition: number
}

export interface StoredRecord {
  readonly offset: bigint
  readonly value: string
}

export interface CrashTarget extends AsyncDisposable {
  /** Starts the process on the data it left; resolves when it takes appends. Rejects when it ends before that. */
  start(): Promise<void>
  /** One batch. Resolves with the offset of its first record when acknowledged; rejects when the process ends before that. */
  append(partition: CrashPartition, values: readonly string[]): Promise<bigint>
  /** Everything from `offset` to the end of the log. */
  read(partition: CrashPartition, offset: bigint): Promise<StoredRecord[]>
  /** SIGKILL; resolves when the process is gone. Also while `start` is under way. */
  kill(): Promise<void>
  /** SIGTERM, as an operator stops it. */
  stop(): Promise<void>
  /** What the process said since its last start about recovery. */
  recoveryLines(): readonly string[]
  /** How many logs the process has compacted since its last start. */
  cleanings(): number
}

const compacted = 'compacted'

export const partitions: readonly CrashPartition[] = ['synced', 'unsynced', compacted].flatMap((topic) =>
  [0, 1].map((partition) => ({ topic, partition })),
)

export function isCompacted({ topic }: CrashPartition): boolean {
  return topic === compacted
}

const keys = 40

/** Of the record with this value; only compacted topics have keys. */
export function keyOf(topic: string, value: string): string | null {
  return topic === compacted ? `key-${parseInt(value, 10) % keys}` : null
}

/** `synced` promises to survive a crash of the system too. Small segments, so that kills hit rolls as well. */
export function topicProperties(topic: string): Readonly<Record<string, string>> {
  const common = { 'segment.bytes': '1048576', 'index.interval.bytes': '1024' }
  if (topic === compacted)
    return {
      ...common,
      'cleanup.policy': 'compact',
      'min.cleanable.dirty.ratio': '0.01',
      'file.delete.delay.ms': '500',
    }
  return topic === 'synced' ? { ...common, 'flush.messages': '1' } : common
}

/** The process ended before it answered. */
export class TargetGoneError extends Error {
  override readonly name = 'TargetGoneError'
}

/** Of log lines that tell of a log that was compacted. */
export const cleaningPattern = /"cleaned a log"/

/** Of log lines that tell what recovery did. */
export const recoveryPattern = /recover|cut|truncat|torn|not clean/i
