/**
 * Doing something for each of 10,000 logs without stopping the event loop for long: work goes on for a millisecond, then others get a turn.
 * The end of a turn has up to 16 rounds before the network is looked at, so the loop stands still for 16 slices at most.
 */
import type { Clock } from '@millrace/runtime'

const sliceMs = 1

/** Resolves when the present turn of the event loop, and what arrived in it, has been handled. */
export function nextTurn(clock: Clock): Promise<void> {
  return new Promise((resolve) => clock.endOfTurn(resolve))
}

/** Tells when it is time to let the loop run; one per piece of work, shared by its parallel parts. */
export class Pace {
  readonly #clock: Clock
  #sliceStart: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#sliceStart = clock.monotonicMs()
  }

  /** Await this between two items when `isDue`. */
  get isDue(): boolean {
    return this.#clock.monotonicMs() - this.#sliceStart >= sliceMs
  }

  async rest(): Promise<void> {
    await nextTurn(this.#clock)
    this.#sliceStart = this.#clock.monotonicMs()
  }
}

/**
 * Calls `work` for each item, at most `concurrency` at once, with rests. Ends at the first error, after what is under way has ended.
 * Items may be added to or removed from the collection meanwhile, as with any iterator of it.
 */
export async function forEachPaced<T>(
  items: Iterable<T>,
  { clock, concurrency }: { readonly clock: Clock; readonly concurrency: number },
  work: (item: T) => Promise<void> | void,
): Promise<void> {
  const iterator = items[Symbol.iterator]()
  const pace = new Pace(clock)
  let failure: { readonly error: unknown } | null = null
  const worker = async (): Promise<void> => {
    for (;;) {
      if (failure !== null) return
      if (pace.isDue) await pace.rest()
      const next = iterator.next()
      if (next.done === true) return
      try {
        const pending = work(next.value)
        if (pending !== undefined) await pending
      } catch (error) {
        failure ??= { error }
      }
    }
  }
  await Promise.all(Array.from({ length: concurrency }, worker))
  if (failure !== null) throw (failure as { readonly error: unknown }).error
}
