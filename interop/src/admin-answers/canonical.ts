// Two clients' answers in one form: names sorted, things without an order sorted, integers of every size alike.

export type Plain = null | boolean | string | number | readonly Plain[] | { readonly [name: string]: Plain }

/** Lists of numbers keep their order, which is that of replicas; other lists have none. */
export function canonical(value: unknown): Plain {
  if (value === null || value === undefined) return null
  if (typeof value === 'bigint') return Number(value)
  if (typeof value === 'boolean' || typeof value === 'string' || typeof value === 'number') return value
  if (Array.isArray(value)) {
    const all = value.map(canonical)
    return all.every((one) => typeof one === 'number') ? all : all.toSorted((a, b) => (text(a) < text(b) ? -1 : 1))
  }
  const names = Object.keys(value).toSorted((a, b) => (a < b ? -1 : 1))
  return Object.fromEntries(names.map((name) => [name, canonical((value as Record<string, unknown>)[name])]))
}

function text(value: Plain): string {
  return JSON.stringify(value)
}

/** Values that are neither a list nor an object: what a comparison has compared. */
export function countOfValues(value: Plain): number {
  if (value === null || typeof value !== 'object') return 1
  return (Array.isArray(value) ? value : Object.values(value)).reduce<number>(
    (sum, one) => sum + countOfValues(one as Plain),
    0,
  )
}
