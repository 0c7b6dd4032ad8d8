/** JSON that does not depend on the order in which sets and maps were filled; of bigints and of what sets hold it has the text. */
export function canonicalText(state: unknown): string {
  return JSON.stringify(state, (_, value: unknown) =>
    typeof value === 'bigint'
      ? String(value)
      : value instanceof Set
        ? Array.from(value, String).toSorted()
        : value instanceof Map
          ? sorted(value)
          : value,
  )
}

/** By key. */
export function sorted<K extends string | number, V>(map: ReadonlyMap<K, V>): [K, V][] {
  return [...map].toSorted(([one], [other]) => (one < other ? -1 : 1))
}
