/**
 * The appends of one log on their way to the disk: staged, then written in order, then told to who waits.
 *
 * At most one write is under way; what is staged meanwhile follows it. A failed write fails everything behind it as well: the log is
 * finished, nothing of it was acknowledged, and recovery cuts the torn end.
 */
import type { Segment } from '../segments/segment.ts'
import type { AppendRound, StagedWriter } from './append-round.ts'

export type WrittenCallback = (error: Error | null) => void

export interface StagedAppendsOwner {
  /** All bytes up to `endOffset` are in the files, the last of them in `segment`. */
  onWritten(segment: Segment, endOffset: bigint): void
  onWriteFailed(error: Error): void
  /** Calls back when what is written now is synced. */
  afterSync(callback: WrittenCallback): void
}

/** Consecutive bytes of one segment: one gathered write. */
interface Group {
  readonly segment: Segment
  readonly position: number
  readonly buffers: Uint8Array[]
  bytes: number
  endOffset: bigint
  readonly waiters: Waiter[]
}

interface Waiter {
  readonly callback: WrittenCallback
  readonly needsSync: boolean
}

const mostBuffers = 1024

export class StagedAppends implements StagedWriter {
  readonly #round: AppendRound
  readonly #owner: StagedAppendsOwner
  #groups: Group[] = []
  /** Groups being written. */
  #underWay: Group[] = []
  #stagedBytes = 0
  #isQueued = false
  #isWriting = false
  #failure: Error | null = null
  readonly #idle: (() => void)[] = []

  constructor(round: AppendRound, owner: StagedAppendsOwner) {
    this.#round = round
    this.#owner = owner
  }

  get stagedBytes(): number {
    return this.#stagedBytes
  }

  get isWriting(): boolean {
    return this.#isWriting
  }

  /** Nothing staged, nothing under way. */
  get isIdle(): boolean {
    return this.#groups.length === 0 && !this.#isWriting
  }

  /** Stages bytes that belong at `position` of `segment`; `endOffset` is the log's end with them. */
  stage(segment: Segment, position: number, bytes: Uint8Array, endOffset: bigint, waiter: Waiter): void {
    let group = this.#groups.at(-1)
    if (group === undefined || group.segment !== segment || group.buffers.length === mostBuffers) {
      group = { segment, position, buffers: [], bytes: 0, endOffset, waiters: [] }
      this.#groups.push(group)
    }
    group.buffers.push(bytes)
    group.bytes += bytes.length
    group.endOffset = endOffset
    group.waiters.push(waiter)
    this.#stagedBytes += bytes.length
    this.#queue()
  }

  /** Calls back after everything staged so far is written (and synced). For a repeated batch, which has no bytes of its own. */
  follow(waiter: Waiter): void {
    const group = this.#groups.at(-1) ?? this.#underWay.at(-1)
    if (group !== undefined) group.waiters.push(waiter)
    else this.#tell([waiter])
  }

  writeSync(): void {
    this.#isQueued = false
    const groups = this.#take()
    this.#underWay = groups
    try {
      for (const group of groups) {
        if (group.bytes > 0) group.segment.log.writeSync(group.buffers, group.position)
        this.#wrote(group)
      }
    } catch (error) {
      this.fail(error as Error)
      return
    }
    this.#underWay = []
    for (const group of groups) this.#tell(group.waiters)
    this.#wakeIdle()
  }

  async write(): Promise<void> {
    this.#isQueued = false
    this.#isWriting = true
    const groups = this.#take()
    this.#underWay = groups
    try {
      for (const group of groups) {
        if (group.bytes > 0) await group.segment.log.write(group.buffers, group.position)
        if (this.#failure !== null) return
        this.#wrote(group)
      }
    } catch (error) {
      this.fail(error as Error)
      return
    } finally {
      this.#isWriting = false
    }
    this.#underWay = []
    for (const group of groups) this.#tell(group.waiters)
    if (this.#groups.length > 0) this.#queue()
    this.#wakeIdle()
  }

  /** Writes everything now, or after the write under way. Resolves when nothing is left. Never rejects. */
  async drain(): Promise<void> {
    while (!this.isIdle && this.#failure === null) {
      if (this.#isWriting) await new Promise<void>((resolve) => this.#idle.push(resolve))
      else await this.write()
    }
  }

  /** The log is finished: everybody waiting gets the error. */
  fail(error: Error): void {
    if (this.#failure !== null) return
    this.#failure = error
    const groups = [...this.#underWay, ...this.#groups]
    this.#underWay = []
    this.#groups = []
    this.#stagedBytes = 0
    this.#owner.onWriteFailed(error)
    for (const group of groups) for (const waiter of group.waiters) waiter.callback(error)
    this.#wakeIdle()
  }

  #take(): Group[] {
    const groups = this.#groups
    this.#groups = []
    this.#stagedBytes = 0
    return groups
  }

  #queue(): void {
    if (this.#isQueued || this.#isWriting) return
    this.#isQueued = true
    this.#round.add(this)
  }

  #wrote(group: Group): void {
    group.segment.wrote(group.position + group.bytes)
    this.#owner.onWritten(group.segment, group.endOffset)
  }

  #tell(waiters: readonly Waiter[]): void {
    for (const { callback, needsSync } of waiters) {
      if (needsSync) this.#owner.afterSync(callback)
      else callback(null)
    }
  }

  #wakeIdle(): void {
    for (const resolve of this.#idle.splice(0)) resolve()
  }
}
