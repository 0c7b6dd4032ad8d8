/**
 * `.kafka_cleanshutdown`: `{"version":0,"brokerEpoch":N}`. There when every log of the directory was flushed and closed; taken away before
 * the first log is opened, so that a crash while opening counts as one. Its absence asks for recovery. Source: Kafka's
 * CleanShutdownFileHandler.
 */
import type { Disk } from '@millrace/runtime'

const fileName = '.kafka_cleanshutdown'

export interface CleanShutdown {
  /** The epoch the broker was registered with when it stopped; null when the file does not say. */
  readonly brokerEpoch: bigint | null
}

/** Reads and removes the marker; null when there is none. The removal is durable once the directory is synced. */
export function takeCleanShutdownMarker(disk: Disk, directory: string): CleanShutdown | null {
  const path = `${directory}/${fileName}`
  if (!disk.existsSync(path)) return null
  const text = new TextDecoder().decode(disk.readFileSync(path))
  disk.removeSync(path)
  // Not by JSON.parse: an epoch is an int64. A marker without an epoch was written by an older Kafka and is as good.
  const epoch = /"brokerEpoch"\s*:\s*(-?\d{1,19})\b/.exec(text)?.[1]
  return { brokerEpoch: epoch === undefined ? null : BigInt(epoch) }
}

export function writeCleanShutdownMarker(disk: Disk, directory: string, brokerEpoch: bigint): void {
  disk.replaceFileSync(
    `${directory}/${fileName}`,
    new TextEncoder().encode(`{"version":0,"brokerEpoch":${brokerEpoch}}`),
  )
}
