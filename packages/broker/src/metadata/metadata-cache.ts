/**
 * The newest image a broker has, and who wants to hear of the next. One per broker.
 *
 * Invariant: listeners have seen every image up to `image`, in order, each with the delta that made it. They run before `apply`
 * returns, so what they build from an image (partitions, logs) is there when the caller goes on.
 */
import type { Clock } from '@millrace/runtime'
import type { MetadataDelta, MetadataImage, SharedImage } from './image.ts'
import { applyDelta, emptyImage } from './metadata-delta.ts'

export type MetadataListener = (image: MetadataImage, delta: MetadataDelta, previous: MetadataImage) => void

export class MetadataCache {
  readonly #clock: Clock
  readonly #listeners = new Set<MetadataListener>()
  #image: SharedImage = emptyImage()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get image(): SharedImage {
    return this.#image
  }

  /** Makes the next image and tells the listeners, in the order in which they were added. */
  apply(delta: MetadataDelta): SharedImage {
    const previous = this.#image
    const image = applyDelta(previous, delta)
    this.#image = image
    for (const listener of Array.from(this.#listeners)) listener(image, delta, previous)
    return image
  }

  /**
   * Calls `listener` for every later image. What it throws ends the caller of `apply`, so it must not throw for a failure of the world.
   * Returns how to stop it.
   */
  onChange(listener: MetadataListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /**
   * The first image from now on, the present one included, for which `predicate` holds; null when there was none within `timeoutMs`.
   */
  waitFor(predicate: (image: MetadataImage) => boolean, timeoutMs: number): Promise<MetadataImage | null> {
    if (predicate(this.#image)) return Promise.resolve(this.#image)
    if (timeoutMs <= 0) return Promise.resolve(null)
    return new Promise((resolve) => {
      const done = (image: MetadataImage | null): void => {
        stopListening()
        timer.cancel()
        resolve(image)
      }
      const stopListening = this.onChange((image) => {
        if (predicate(image)) done(image)
      })
      const timer = this.#clock.after(timeoutMs, () => done(null))
    })
  }
}
