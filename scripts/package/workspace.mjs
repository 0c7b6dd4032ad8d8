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

/** The packages of ours that a product's tarball holds: its own, and all it depends on by whatever way but through other products. */
export function partsOf({ name, dependsOn }) {
  const found = new Set()
  const add = (part) => {
    if (!ours.has(part) || dependsOn.includes(part) || found.has(part)) return
    found.add(part)
    for (const dependency of Object.keys(ours.get(part).manifest.dependencies ?? {})) add(dependency)
  }
  add(name)
  return found
}

/** npm packages with native code, which no bundle can hold: those that the product's parts depend on. */
export function nativeDependencies(product) {
  const foreign = new Set()
  for (const part of partsOf(product))
    for (const dependency of Object.keys(ours.get(part).manifest.dependencies ?? {}))
      if (!ours.has(dependency)) foreign.add(dependency)
  return [...foreign].toSorted(byName).filter((dependency) => {
    const { optionalDependencies } = readJson(join(root, 'node_modules', dependency, 'package.json'))
    return Object.keys(optionalDependencies ?? {}).some((one) => /linux-x64/.test(one))
  })
}
