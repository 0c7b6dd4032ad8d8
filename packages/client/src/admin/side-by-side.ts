/** Requests about one thing each, several at a time: a connection takes so many without an answer, and a broker has others to serve. */
const AT_A_TIME = 50

/** In the order of `things`. @throws what one of them threw. */
export async function sideBySide<Thing, Result>(
  things: readonly Thing[],
  ask: (thing: Thing) => Promise<Result>,
): Promise<readonly Result[]> {
  const results: Result[] = []
  for (let at = 0; at < things.length; at += AT_A_TIME)
    results.push(...(await Promise.all(things.slice(at, at + AT_A_TIME).map(ask))))
  return results
}
