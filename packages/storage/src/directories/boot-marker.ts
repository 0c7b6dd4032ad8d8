/**
 * `.millrace-boot`: the operating system's boot id (`Disk.bootId`) at the time all logs of the directory were last known to be sound, one
 * line. Ours, not Kafka's, which ignores it.
 *
 * After a crash of the process alone every completed write is still in the page cache: when the boot id is unchanged, only a write that
 * was under way can be torn, and that is at the end of the last segment. After a crash of the operating system the id differs and
 * everything above the recovery point must be read, as Kafka does after any crash.
 *
 * Written only after every log of the directory has been opened: a process that is killed while it recovers from a crash of the system
 * must not find its own boot id at the next start.
 */
import type { Disk } from '@millrace/runtime'

const fileName = '.millrace-boot'

/** Whether the system has been up since the marker was written. False when either is unknown. */
export function isSameBoot(disk: Disk, directory: string): boolean {
  const bootId = disk.bootId()
  const path = `${directory}/${fileName}`
  if (bootId === null || !disk.existsSync(path)) return false
  return new TextDecoder().decode(disk.readFileSync(path)).trim() === bootId
}

export function writeBootMarker(disk: Disk, directory: string): void {
  const bootId = disk.bootId()
  const path = `${directory}/${fileName}`
  if (bootId === null) disk.removeSync(path)
  else if (!isSameBoot(disk, directory)) disk.replaceFileSync(path, new TextEncoder().encode(`${bootId}\n`))
}
