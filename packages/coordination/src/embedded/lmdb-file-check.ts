/**
 * Looks at an LMDB file before LMDB maps it: given a file that is not its own, LMDB takes the whole process down.
 *
 * The file begins with two meta pages. Each has, little-endian: at byte 24 the magic number and the format's version (uint32 each), at 48 the
 * size of a page (uint32).
 */
import type { Disk } from '@millrace/runtime'

const MAGIC = 0xbeefc0de
const MAGIC_AT = 24
const VERSION_AT = 28
const PAGE_SIZE_AT = 48
/** The version of the `lmdb` package's file format. */
const VERSION = 2
const META_BYTES = 64

/** Does nothing when there is no file, or an empty one: LMDB makes a new tree of it. @throws Error that says what is wrong. */
export function checkLmdbFile(disk: Disk, path: string): void {
  const status = disk.statusSync(path)
  if (status === null || status.sizeBytes === 0) return
  if (status.isDirectory) throw notATree(path, 'it is a directory')
  const file = disk.openSync(path, 'read')
  try {
    const first = new DataView(new ArrayBuffer(META_BYTES))
    if (file.readSync(new Uint8Array(first.buffer), 0) < META_BYTES)
      throw notATree(path, `it has only ${status.sizeBytes} bytes`)
    checkMeta(path, first, 0)
    const pageSize = first.getUint32(PAGE_SIZE_AT, true)
    if (pageSize < 512 || pageSize > 65_536) throw notATree(path, `its page size is ${pageSize}`)
    const second = new DataView(new ArrayBuffer(META_BYTES))
    if (file.readSync(new Uint8Array(second.buffer), pageSize) < META_BYTES)
      throw notATree(path, `it is cut off after ${status.sizeBytes} bytes`)
    checkMeta(path, second, pageSize)
  } finally {
    file.closeSync()
  }
}

function checkMeta(path: string, meta: DataView, position: number): void {
  const magic = meta.getUint32(MAGIC_AT, true)
  const version = meta.getUint32(VERSION_AT, true)
  if (magic !== MAGIC || version !== VERSION)
    throw notATree(
      path,
      `at byte ${position + MAGIC_AT} expected magic ${MAGIC.toString(16)} and version ${VERSION}, got ${magic.toString(16)} and ${version}`,
    )
}

function notATree(path: string, problem: string): Error {
  return new Error(`${path} is not the file of a coordination tree: ${problem}`)
}
