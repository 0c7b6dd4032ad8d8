import { strict as assert } from 'node:assert'

/** Where a frame's bytes lie, to be told when the frame no longer needs them. */
export interface FrameHome {
  release(): void
}

/** One length-prefixed message, contiguous, in borrowed memory. */
export class Frame {
  /** The content, without the length. Neither it nor views of it may be used after `release`. */
  readonly bytes: Uint8Array
  #home: FrameHome | null

  constructor(bytes: Uint8Array, home: FrameHome) {
    this.bytes = bytes
    this.#home = home
  }

  /** Gives the memory back. To be called once, as soon as no view of `bytes` is needed. */
  release(): void {
    const home = this.#home
    assert(home !== null, 'a frame was released twice')
    this.#home = null
    home.release()
  }
}
