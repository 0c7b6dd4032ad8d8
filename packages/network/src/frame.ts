import { strict as assert } from 'node:assert'

/** Where a frame's bytes lie, to be told when the frame no longer needs them. */
export interface FrameHome {
  release(): void
  /** As `release`, but what `bytes`, a view of its memory, holds stays with the caller: as that view, or as a copy. */
  keep(bytes: Uint8Array): Uint8Array
}

/** One length-prefixed message, contiguous, in borrowed memory. */
export class Frame {
  /** The content, without the length. Neither it nor views of it may be used after `release` or `keep`. */
  readonly bytes: Uint8Array
  #home: FrameHome | null

  constructor(bytes: Uint8Array, home: FrameHome) {
    this.bytes = bytes
    this.#home = home
  }

  /** Gives the memory back. To be called once, as soon as no view of `bytes` is needed, or `keep` instead. */
  release(): void {
    this.#leaveHome().release()
  }

  /**
   * The content, as the caller's own for good: nobody will ever write to it. A large frame gives up its memory without a copy, a small
   * one is copied. Ends the frame as `release` does.
   */
  keep(): Uint8Array {
    return this.#leaveHome().keep(this.bytes)
  }

  #leaveHome(): FrameHome {
    const home = this.#home
    assert(home !== null, 'a frame was released twice')
    this.#home = null
    return home
  }
}
