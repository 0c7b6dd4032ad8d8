// The packages of the workspace and what they depend on.
import { globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

export const root = join(import.meta.dirname, '..', '..')
export const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'))
export const byName = (one, other) => (one < other ? -1 : 1)

/** By name: manifest and directory. */
export const ours = new Map(
  globSync('packages/*/package.json', { cwd: root }).map((path) => {
    const manifest = readJson(join(root, path))
    return [manifest.name, { manifest, directory: join(root, dirname(path)) }]
  }),
)

/** `name` and all packages of ours that it depends on, by whatever way. */
export function madeOf(name, found = new Set()) {
  if (!ours.has(name) || found.has(name)) return found
  found.add(name)
  for (const dependency of Object.keys(ours.get(name).manifest.dependencies ?? {})) madeOf(dependency, found)
  return found
}

/** npm packages with native code, which no bundle can hold: those that `name` or what it is made of depends on. */
export function nativeDependencies(name) {
  const foreign = new Set()
  for (const part of madeOf(name))
    for (const dependency of Object.keys(ours.get(part).manifest.dependencies ?? {}))
      if (!ours.has(dependency)) foreign.add(dependency)
  return [...foreign].toSorted(byName).filter((dependency) => {
    const { optionalDependencies } = readJson(join(root, 'node_modules', dependency, 'package.json'))
    return Object.keys(optionalDependencies ?? {}).some((one) => /linux-x64/.test(one))
  })
}
