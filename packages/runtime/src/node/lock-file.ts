/**
 * An advisory lock: a file that names its owner. Node has no file locks of the system, so a dead owner is told by its process id,
 * its start time and the boot it lived in, and its lock is taken over.
 *
 * The file appears with its content in one step (written under another name, then linked), so nobody reads half of it.
 *
 * Taking over: two may find the same dead owner. Each renames the file away, which succeeds once per file, and looks at what it got: if
 * that is not what it had read, it has caught a fresh lock of the other, and links it back.
 */

import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { randomUUID } from 'node:crypto'
import { isProcessAlive, readBootId, readStartTime } from './process-identity.ts'

interface Owner {
  readonly pid: number
  readonly startTime: string | null
  readonly bootId: string | null
  /** Tells two locks of one process apart. */
  readonly token: string
}

/** null when a living owner, in this process or another, holds it. @throws EACCES, ENOENT… when the file cannot be made. */
export function tryLockFile(path: string): Disposable | null {
  const token = randomUUID()
  const owner: Owner = { pid: process.pid, startTime: readStartTime(process.pid), bootId: readBootId(), token }
  const content = `${JSON.stringify(owner)}\n`
  if (!createWithContent(path, content, token)) {
    const found = readOrNull(path)
    if (found !== null) {
      if (isHeld(found) || !takeAway(path, found, token)) return null
    }
    if (!createWithContent(path, content, token)) return null
  }
  return {
    [Symbol.dispose]() {
      if (readOrNull(path) === content) rmSync(path, { force: true })
    },
  }
}

/** false when there is a file at `path`. */
function createWithContent(path: string, content: string, token: string): boolean {
  const temporary = `${path}.${token}`
  try {
    writeFileSync(temporary, content, { flag: 'wx' })
    linkSync(temporary, path)
    return true
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'EEXIST') return false
    // Some file systems know no links; there the content may appear after the file.
    if (code === 'EPERM' || code === 'ENOTSUP' || code === 'ENOSYS') return createExclusively(path, content)
    throw error
  } finally {
    rmSync(temporary, { force: true })
  }
}

function createExclusively(path: string, content: string): boolean {
  try {
    writeFileSync(path, content, { flag: 'wx' })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

function isHeld(content: string): boolean {
  const owner = parse(content)
  // Apache Kafka's .lock is empty, and ours may be after a power cut.
  if (owner === null) return false
  if (owner.bootId !== readBootId()) return false
  if (!isProcessAlive(owner.pid)) return false
  return owner.startTime === readStartTime(owner.pid)
}

function parse(content: string): Owner | null {
  try {
    const value = JSON.parse(content) as Owner | null
    return typeof value === 'object' && value !== null && Number.isInteger(value.pid) && value.pid > 0 ? value : null
  } catch {
    // Not ours: no owner.
    return null
  }
}

/** Removes the stale file; false when it has meanwhile become somebody's lock. */
function takeAway(path: string, stale: string, token: string): boolean {
  const away = `${path}.${token}.stale`
  try {
    renameSync(path, away)
  } catch (error) {
    // The other was faster; whether it got the lock, creating will tell.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true
    throw error
  }
  try {
    if (readOrNull(away) === stale) return true
    linkSync(away, path)
    return false
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    rmSync(away, { force: true })
  }
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}
