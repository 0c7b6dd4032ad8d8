/** The real file system. */

import { closeSync, constants, existsSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { renameSync, rmSync, statSync, utimesSync } from 'node:fs'
import { open, rename, rm, statfs } from 'node:fs/promises'
import { dirname, resolve as resolvePath } from 'node:path'
import type { Disk, DiskEntry, DiskFile, DiskSpace, FileStatus, OpenMode } from '../disk.ts'
import { NodeFile } from './node-file.ts'
import { tryLockFile } from './lock-file.ts'
import { readBootId } from './process-identity.ts'

const OPEN_FLAGS: Record<OpenMode, number> = {
  read: constants.O_RDONLY,
  write: constants.O_RDWR,
  create: constants.O_RDWR | constants.O_CREAT,
}

export class NodeDisk implements Disk {
  readonly isVisibleToThreads = true
  /** Replacements under way by path: two at once would share the temporary file. */
  readonly #replacing = new Map<string, Promise<void>>()

  openSync(path: string, mode: OpenMode): DiskFile {
    return new NodeFile(path, openSync(path, OPEN_FLAGS[mode], 0o644))
  }

  readFileSync(path: string): Uint8Array {
    return new Uint8Array(readFileSync(path))
  }

  replaceFileSync(path: string, content: Uint8Array): void {
    // An asynchronous replacement may be writing to the usual name.
    const temporary = this.#replacing.has(resolvePath(path)) ? `${path}.sync.tmp` : `${path}.tmp`
    const fd = openSync(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC, 0o644)
    try {
      new NodeFile(temporary, fd).writeSync([content], 0)
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
    renameSync(temporary, path)
    this.syncDirectorySync(dirname(path))
  }

  replaceFile(path: string, content: Uint8Array): Promise<void> {
    const key = resolvePath(path)
    const before = this.#replacing.get(key) ?? Promise.resolve()
    const mine = before.then(
      () => replaceNow(path, content),
      () => replaceNow(path, content),
    )
    this.#replacing.set(key, mine)
    const forget = (): void => {
      if (this.#replacing.get(key) === mine) this.#replacing.delete(key)
    }
    mine.then(forget, forget)
    return mine
  }

  existsSync(path: string): boolean {
    return existsSync(path)
  }

  statusSync(path: string): FileStatus | null {
    const status = statSync(path, { throwIfNoEntry: false })
    if (status === undefined) return null
    return { sizeBytes: status.size, modifiedMs: status.mtimeMs, isDirectory: status.isDirectory() }
  }

  setModifiedSync(path: string, modifiedMs: number): void {
    utimesSync(path, modifiedMs / 1000, modifiedMs / 1000)
  }

  listSync(path: string): DiskEntry[] {
    const entries = readdirSync(path, { withFileTypes: true })
    return entries.map((entry) => ({
      name: entry.name,
      isDirectory: entry.isSymbolicLink()
        ? this.statusSync(`${path}/${entry.name}`)?.isDirectory === true
        : entry.isDirectory(),
    }))
  }

  makeDirectorySync(path: string): void {
    mkdirSync(path, { recursive: true })
  }

  renameSync(from: string, to: string): void {
    renameSync(from, to)
  }

  removeSync(path: string): void {
    rmSync(path, { force: true })
  }

  removeTree(path: string): Promise<void> {
    return rm(path, { recursive: true, force: true })
  }

  syncDirectorySync(path: string): void {
    // Windows has no such thing.
    if (process.platform === 'win32') return
    const fd = openSync(path, constants.O_RDONLY)
    try {
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
  }

  async space(path: string): Promise<DiskSpace> {
    const status = await statfs(path)
    return { totalBytes: status.blocks * status.bsize, usableBytes: status.bavail * status.bsize }
  }

  tryLock(path: string): Disposable | null {
    return tryLockFile(path)
  }

  bootId(): string | null {
    return readBootId()
  }
}

async function replaceNow(path: string, content: Uint8Array): Promise<void> {
  const temporary = `${path}.tmp`
  const file = await open(temporary, 'w', 0o644)
  try {
    for (let done = 0; done < content.length;) {
      done += (await file.write(content, done, content.length - done, done)).bytesWritten
    }
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(temporary, path)
  if (process.platform === 'win32') return
  const directory = await open(dirname(path), 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
