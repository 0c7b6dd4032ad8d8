/** Where a share group begins in a partition it has read nothing of: `share.auto.offset.reset`. Source: Kafka's ShareGroupAutoOffsetResetStrategy. */
import type { Clock } from '@millrace/runtime'
import type { PartitionLog } from '@millrace/storage'

/** @param strategy as its setting allows it: `earliest`, `latest` or `by_duration:` and an ISO 8601 duration. */
export async function firstOffsetOf(log: PartitionLog, strategy: string, clock: Clock): Promise<bigint> {
  if (strategy === 'earliest') return log.logStartOffset
  if (strategy === 'latest') return log.highWatermark
  const found = await log.offsetForTimestamp(BigInt(Math.max(0, Math.floor(clock.now() - durationMs(strategy)))))
  // Nothing so young yet: what comes is.
  return found?.offset ?? log.highWatermark
}

const duration = /^by_duration:P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/i

export function durationMs(strategy: string): number {
  const match = duration.exec(strategy)
  if (match === null) throw new RangeError(`${strategy} is no duration`)
  const [days, hours, minutes, seconds] = match.slice(1).map((digits) => Number(digits ?? 0))
  return (((days! * 24 + hours!) * 60 + minutes!) * 60 + seconds!) * 1000
}
