/** Files of deleted segments, which stay for a while under another name so that readers can finish. A new start removes what is left. */
import type { Clock, Disk, Timer } from '@millrace/runtime'
import type { Segment } from './segment.ts'

interface Removal {
  readonly segment: Segment
  readonly snapshot: string | null
  timer: Timer | null
}

export class SegmentRemovals {
  readonly #clock: Clock
  readonly #disk: Disk
  readonly #onFailure: (error: Error) => void
  readonly #pending = new Set<Removal>()

  constructor(options: { clock: Clock; disk: Disk; onFailure: (error: Error) => void }) {
    this.#clock = options.clock
    this.#disk = options.disk
    this.#onFailure = options.onFailure
  }

  /** Renames the segment's files now and removes them, and `snapshot`, which is renamed already, after `delayMs`. */
  add(segment: Segment, snapshot: string | null, delayMs: number): void {
    this.#finishEarlier(segment)
    if (segment.exists) segment.changeState('deleted')
    const removal: Removal = { segment, snapshot, timer: null }
    removal.timer = this.#clock.after(delayMs, () => {
      try {
        this.#remove(removal)
      } catch (error) {
        this.#onFailure(error as Error)
      }
    })
    this.#pending.add(removal)
  }

  /** A log that is cleaned often has more than one segment of a name to remove: there can be only one of them at a time. */
  #finishEarlier({ baseOffset }: Segment): void {
    for (const removal of this.#pending) if (removal.segment.baseOffset === baseOffset) this.#remove(removal)
  }

  #remove(removal: Removal): void {
    const { segment, snapshot, timer } = removal
    timer?.cancel()
    this.#pending.delete(removal)
    segment.removeFiles()
    if (snapshot !== null) this.#disk.removeSync(snapshot)
  }

  movedTo(directory: string): void {
    for (const { segment } of this.#pending) segment.movedTo(directory)
  }

  /** The log is closed: the next start does the rest. */
  release(): void {
    for (const { timer, segment } of this.#pending) {
      timer?.cancel()
      segment.closeFiles()
    }
    this.#pending.clear()
  }
}
