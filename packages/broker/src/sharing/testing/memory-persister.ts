/** A persister that keeps the state in memory and lets a test say when, and whether, each write happens. */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { SharePartitionKey } from '../../coordinators/share-partition-key.ts'
import {
  uninitializedStartOffset,
  type PersistedBatch,
  type PersistedState,
  type Persister,
  type StateSummary,
  type StateWrite,
} from '../persister.ts'

interface Stored {
  stateEpoch: number
  leaderEpoch: number
  startOffset: bigint
  deliveryCompleteCount: number
  /** By offset: the slow and certain way. */
  readonly offsets: Map<bigint, { state: number; count: number }>
}

interface PendingWrite {
  readonly happen: () => void
  readonly fail: (error: Error) => void
}

export class MemoryPersister implements Persister {
  readonly #stored = new Map<string, Stored>()
  readonly #pending: PendingWrite[] = []
  /** Writes happen at once; else when `writeNext` says so. */
  isAutomatic: boolean

  constructor(options: { isAutomatic: boolean }) {
    this.isAutomatic = options.isAutomatic
  }

  get pendingCount(): number {
    return this.#pending.length
  }

  /** Makes the oldest pending write happen. */
  writeNext(): void {
    this.#pending.shift()?.happen()
  }

  /** Makes it fail, and leave nothing. */
  failNext(code: number = ErrorCode.COORDINATOR_NOT_AVAILABLE): void {
    this.#pending.shift()?.fail(new KafkaError(code))
  }

  /** The leader is gone: what it wanted to write never happens. */
  forgetPending(): void {
    this.#pending.length = 0
  }

  async read(key: SharePartitionKey, leaderEpoch: number): Promise<PersistedState> {
    const stored = this.#find(key)
    stored.leaderEpoch = Math.max(stored.leaderEpoch, leaderEpoch)
    const { stateEpoch, startOffset, offsets } = stored
    const batches: PersistedBatch[] = []
    for (const offset of [...offsets.keys()].toSorted((left, right) => Number(left - right))) {
      const { state, count } = offsets.get(offset)!
      const last = batches.at(-1)
      if (last?.lastOffset === offset - 1n && last.deliveryState === state && last.deliveryCount === count)
        batches[batches.length - 1] = { ...last, lastOffset: offset }
      else batches.push({ firstOffset: offset, lastOffset: offset, deliveryState: state, deliveryCount: count })
    }
    return { stateEpoch, startOffset, batches }
  }

  write(key: SharePartitionKey, write: StateWrite): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#pending.push({
      happen: () => {
        try {
          this.#apply(this.#find(key), write)
          resolve()
        } catch (error) {
          reject(error)
        }
      },
      fail: reject,
    })
    if (this.isAutomatic) this.writeNext()
    return promise
  }

  async readSummary(key: SharePartitionKey): Promise<StateSummary> {
    const { stateEpoch, leaderEpoch, startOffset, deliveryCompleteCount } = this.#find(key)
    return { stateEpoch, leaderEpoch, startOffset, deliveryCompleteCount }
  }

  async initialize(key: SharePartitionKey, start: { stateEpoch: number; startOffset: bigint }): Promise<void> {
    this.#stored.set(nameOf(key), { ...start, leaderEpoch: -1, deliveryCompleteCount: -1, offsets: new Map() })
  }

  async delete(key: SharePartitionKey): Promise<void> {
    this.#stored.delete(nameOf(key))
  }

  #find(key: SharePartitionKey): Stored {
    let stored = this.#stored.get(nameOf(key))
    if (stored === undefined) {
      stored = {
        stateEpoch: 0,
        leaderEpoch: -1,
        startOffset: uninitializedStartOffset,
        deliveryCompleteCount: -1,
        offsets: new Map(),
      }
      this.#stored.set(nameOf(key), stored)
    }
    return stored
  }

  #apply(stored: Stored, write: StateWrite): void {
    if (write.leaderEpoch < stored.leaderEpoch) throw new KafkaError(ErrorCode.FENCED_LEADER_EPOCH)
    if (write.stateEpoch < stored.stateEpoch) throw new KafkaError(ErrorCode.FENCED_STATE_EPOCH)
    stored.startOffset = write.startOffset
    stored.deliveryCompleteCount = write.deliveryCompleteCount
    for (const { firstOffset, lastOffset, deliveryState, deliveryCount } of write.batches)
      for (let offset = firstOffset; offset <= lastOffset; offset++)
        stored.offsets.set(offset, { state: deliveryState, count: deliveryCount })
    for (const offset of stored.offsets.keys()) if (offset < stored.startOffset) stored.offsets.delete(offset)
  }
}

function nameOf({ groupId, topicId, partition }: SharePartitionKey): string {
  return `${groupId}:${topicId}:${partition}`
}
