/** Requests that ask about many things, each by its name. */
import type { Clock } from '@millrace/runtime'
import { TimeSlice } from '@millrace/runtime'

/**
 * The answers to `ask`, in order, of the items with different keys: who names a large group ten thousand times is told of it once, as the answer
 * must not be larger than what the broker holds anyway. Others get their turn meanwhile.
 */
export async function askForEach<T, A>(
  items: readonly T[],
  keyOf: (item: T) => unknown,
  clock: Clock,
  ask: (item: T) => Promise<A>,
): Promise<A[]> {
  const slice = new TimeSlice(clock)
  const answers = new Map<unknown, Promise<A>>()
  for (const item of items) {
    const key = keyOf(item)
    if (answers.has(key)) continue
    const answer = ask(item)
    // It is looked at after the pauses.
    answer.catch(() => {})
    answers.set(key, answer)
    if (slice.isOver) await slice.nextTurn()
  }
  return Promise.all(answers.values())
}

export function itself<T>(item: T): T {
  return item
}
