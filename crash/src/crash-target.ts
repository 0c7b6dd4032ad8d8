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
}

export const partitions: readonly CrashPartition[] = ['synced', 'unsynced'].flatMap((topic) =>
  [0, 1].map((partition) => ({ topic, partition })),
)

/** `synced` promises to survive a crash of the system too. */
export function topicConfig(topic: string): Readonly<Record<string, number>> {
  return { segmentBytes: 1024 * 1024, indexIntervalBytes: 1024, ...(topic === 'synced' ? { flushMessages: 1 } : {}) }
}
