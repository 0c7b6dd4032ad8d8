/** Which run of the system, and which process of it, we or others are. Linux tells by /proc; elsewhere there are only process ids. */

import { readFileSync } from 'node:fs'

/** Changes with every boot. null where unknown. */
export function readBootId(): string | null {
  return readOrNull('/proc/sys/kernel/random/boot_id')?.trim() ?? null
}

/** When the process started, in the system's own unit: with its id it names a process once and for all. null when unknown. */
export function readStartTime(pid: number): string | null {
  const line = readOrNull(`/proc/${pid}/stat`)
  if (line === null) return null
  // Field 22, counted from 1; field 2 is the program's name in brackets and may itself hold blanks and brackets.
  return line.slice(line.lastIndexOf(')') + 2).split(' ')[19] ?? null
}

export function isProcessAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: it lives and is somebody else's.
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    // Not Linux, or the process is gone: unknown is the answer.
    return null
  }
}
