// PERFORMANCE: memory that a virtual machine has not touched lately is many times dearer to write than memory that was just freed.
// Every buffered writer pays it, so it must be paid before the clock runs.
import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'

const chunk = Buffer.alloc(4 << 20, 1)

/** Fills `bytes` of page cache by writing a file, and frees it again by deleting that. Do the measured writing within 2 s: then the host takes it. */
export function warmPageCache(directory: string, bytes: number): void {
  const file = join(directory, 'page-cache-warmer')
  const descriptor = openSync(file, 'w')
  try {
    for (let written = 0; written < bytes; written += chunk.length) writeSync(descriptor, chunk)
  } finally {
    closeSync(descriptor)
    rmSync(file)
  }
}
