/** Where a log begins and ends. */

/**
 * Invariant: logStartOffset ≤ highWatermark ≤ writtenEndOffset ≤ logEndOffset. An append moves the log end at once; its bytes are written at
 * the end of the turn, which moves the written end; readers and the high watermark never pass that.
 */
export class LogEnds {
  #logStartOffset = 0n
  #highWatermark = 0n
  #writtenEndOffset = 0n
  #logEndOffset = 0n

  get logStartOffset(): bigint {
    return this.#logStartOffset
  }

  get highWatermark(): bigint {
    return this.#highWatermark
  }

  get writtenEndOffset(): bigint {
    return this.#writtenEndOffset
  }

  get logEndOffset(): bigint {
    return this.#logEndOffset
  }

  /** After loading: all there is, is written. */
  open(found: { logStartOffset: bigint; logEndOffset: bigint; highWatermark: bigint }): void {
    this.#logStartOffset = found.logStartOffset
    this.#logEndOffset = found.logEndOffset
    this.#writtenEndOffset = found.logEndOffset
    this.setHighWatermark(found.highWatermark)
  }

  /** Moves it to `offset`, at least to the log start and at most to the written end. */
  setHighWatermark(offset: bigint): void {
    const low = this.#logStartOffset
    const high = this.#writtenEndOffset
    this.#highWatermark = offset < low ? low : offset > high ? high : offset
  }

  staged(endOffset: bigint): void {
    this.#logEndOffset = endOffset
  }

  wrote(endOffset: bigint): void {
    this.#writtenEndOffset = endOffset
  }

  /** Only upwards; whoever reads at the high watermark must not be left below the start. */
  advanceStart(offset: bigint): void {
    this.#logStartOffset = offset
    if (this.#highWatermark < offset) this.#highWatermark = offset
  }

  /** Nothing from `offset` on is left, and nothing is staged. */
  cutAt(offset: bigint): void {
    if (this.#logStartOffset > offset) this.#logStartOffset = offset
    this.#logEndOffset = offset
    this.#writtenEndOffset = offset
    if (this.#highWatermark > offset) this.#highWatermark = offset
  }

  /** Nothing at all is left: the log begins again at `offset`. */
  startOver(offset: bigint): void {
    this.#logStartOffset = offset
    this.#highWatermark = offset
    this.#writtenEndOffset = offset
    this.#logEndOffset = offset
  }
}
