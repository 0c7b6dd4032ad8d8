// Where foreign software is installed: `.cache/` in the checkout, ignored by git, safe to delete at any time.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

export const repositoryRoot = join(import.meta.dirname, '..', '..')
export const cacheRoot = join(repositoryRoot, '.cache')
export const clientsRoot = join(repositoryRoot, 'interop', 'clients')

/** Registries do not answer now and then. */
const mostAttempts = 3
const pauseMs = 5000

/** Installations under way, by folder: who wants the same one meanwhile waits for it. */
const underWay = new Map<string, Promise<void>>()

/**
 * Runs `install` in an empty folder `.cache/<name>` unless it has succeeded there before with the same inputs.
 * `inputs` are the file contents and version strings that decide what gets installed. Returns the folder.
 */
export async function installOnce(
  name: string,
  inputs: readonly string[],
  install: (directory: string) => Promise<void>,
): Promise<string> {
  const directory = join(cacheRoot, name)
  const stampFile = join(directory, '.installed')
  const stamp = createHash('sha256').update(inputs.join('\0')).digest('hex')
  for (let other = underWay.get(name); other !== undefined; other = underWay.get(name)) await other.catch(() => {})
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return directory
  const installing = (async () => {
    await installIn(directory, install)
    writeFileSync(stampFile, stamp)
  })()
  underWay.set(name, installing)
  try {
    await installing
  } finally {
    underWay.delete(name)
  }
  return directory
}

async function installIn(directory: string, install: (directory: string) => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    rmSync(directory, { recursive: true, force: true })
    mkdirSync(directory, { recursive: true })
    try {
      return await install(directory)
    } catch (error) {
      if (attempt === mostAttempts) throw error
      console.error(`installing in ${directory}, attempt ${attempt}: ${String(error)}`)
      await delay(pauseMs)
    }
  }
}
