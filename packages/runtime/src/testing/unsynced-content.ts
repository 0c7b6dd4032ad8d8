/** A file's content as a crash would leave it: what was synced, and of the rest whatever the seed decides. */

import { FileContent } from '../memory/file-content.ts'
import type { SeededRandom } from './seeded-random.ts'

export type ContentChange =
  | { readonly kind: 'write'; readonly bytes: Uint8Array; readonly position: number }
  | { readonly kind: 'truncate'; readonly size: number }

export class UnsyncedContent {
  #synced = new FileContent()
  #changes: ContentChange[] = []
  /** Changes before those in `#changes`. */
  #settled = 0

  add(change: ContentChange): void {
    this.#changes.push(change)
  }

  /** All changes ever. For `syncUpTo`: changes added later are not part of a sync that has begun. */
  get changes(): number {
    return this.#settled + this.#changes.length
  }

  /** The first `count` changes ever are durable. */
  syncUpTo(count: number): void {
    for (const change of this.#settle(count)) apply(this.#synced, change)
  }

  /** As Linux does when a sync fails: what was to be synced is forgotten, and a later sync will not know of it. */
  forgetUpTo(count: number): void {
    this.#settle(count)
  }

  /** What a crash leaves; it is all there is from then on. */
  crash(keep: 'random' | 'nothing', random: SeededRandom): FileContent {
    if (keep === 'random') this.#keepSome(random)
    this.#settle(this.changes)
    return this.#synced.copy()
  }

  #settle(count: number): ContentChange[] {
    const changes = this.#changes.splice(0, Math.max(0, count - this.#settled))
    this.#settled += changes.length
    return changes
  }

  /** Either the first changes survive, the next of them torn at any byte; or any of them, in no order, as pages are written back. */
  #keepSome(random: SeededRandom): void {
    const inOrder = random.chance(0.5)
    const survivors = random.integer(this.#changes.length + 1)
    this.#changes.forEach((change, i) => {
      const survives = inOrder ? i < survivors : random.chance(0.5)
      const isTorn = inOrder ? i === survivors : !survives && random.chance(0.2)
      if (survives) apply(this.#synced, change)
      else if (isTorn && change.kind === 'write') {
        apply(this.#synced, { ...change, bytes: change.bytes.subarray(0, random.integer(change.bytes.length + 1)) })
      }
    })
  }
}

function apply(content: FileContent, change: ContentChange): void {
  if (change.kind === 'write') content.write(change.bytes, change.position)
  else content.truncate(change.size)
}
