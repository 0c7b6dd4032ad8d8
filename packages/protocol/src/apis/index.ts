/** The declared APIs, by name and by key. */
import type { Api } from '../schema/api.ts'
import * as apis from './all.ts'

export * from './all.ts'

/** In ascending order of keys. */
export const allApis: readonly Api[] = Object.values<Api>(apis).toSorted((a, b) => a.key - b.key)

const byKey: readonly (Api | undefined)[] = Array.from({ length: 128 }, (_, key) =>
  allApis.find((api) => api.key === key),
)

/** undefined for a key that is not declared, negative ones included. */
export function apiByKey(key: number): Api | undefined {
  return byKey[key]
}
