/** Runs all tasks, at most `limit` at a time. @throws the first failure, after all that were begun have ended. */
export async function inParallel(tasks: readonly (() => Promise<void>)[], limit: number): Promise<void> {
  const waiting = tasks.values()
  const work = async () => {
    for (const task of waiting) await task()
  }
  const failures = (await Promise.allSettled(Array.from({ length: limit }, work))).filter(
    (outcome) => outcome.status === 'rejected',
  )
  if (failures.length > 0) throw failures[0]!.reason
}
