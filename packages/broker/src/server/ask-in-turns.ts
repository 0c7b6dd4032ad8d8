/** Requests that ask about many things: others get their turn meanwhile. */
import { type Clock, TimeSlice } from '@millrace/runtime'

/** The answers to `ask`, in the order of the items. */
export async function askInTurns<T, A>(
  items: Iterable<T>,
  clock: Clock,
  ask: (item: T) => A | Promise<A>,
): Promise<A[]> {
  const slice = new TimeSlice(clock)
  const answers: (A | Promise<A>)[] = []
  for (const item of items) {
    const answer = ask(item)
    // It is looked at after the pauses.
    if (answer instanceof Promise) answer.catch(() => {})
    answers.push(answer)
    if (slice.isOver) await slice.nextTurn()
  }
  return Promise.all(answers)
}

/**
 * The same, of the items with different keys only: who names a large group ten thousand times is told of it once, as the answer must not be
 * larger than what the broker holds anyway.
 */
export function askForEach<T, A>(
  items: readonly T[],
  keyOf: (item: T) => unknown,
  clock: Clock,
  ask: (item: T) => A | Promise<A>,
): Promise<A[]> {
  const first = new Map<unknown, T>()
  for (const item of items) if (!first.has(keyOf(item))) first.set(keyOf(item), item)
  return askInTurns(first.values(), clock, ask)
}

export function itself<T>(item: T): T {
  return item
}
