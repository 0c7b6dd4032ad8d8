/** What follows from several settings: the finest unit that is set wins. */
import type { BrokerConfigReader } from './broker-configs.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs

/** `log.roll.ms`, or `log.roll.hours`. */
export function logRollMs(config: BrokerConfigReader): number {
  return config.get('log.roll.ms') ?? config.get('log.roll.hours') * hourMs
}

/** `log.roll.jitter.ms`, or `log.roll.jitter.hours`. */
export function logRollJitterMs(config: BrokerConfigReader): number {
  return config.get('log.roll.jitter.ms') ?? config.get('log.roll.jitter.hours') * hourMs
}

/** `log.retention.ms`, or `.minutes`, or `.hours`; -1 for ever, however negative it was set. */
export function logRetentionMs(config: BrokerConfigReader): number {
  const minutes = config.get('log.retention.minutes')
  const ms =
    config.get('log.retention.ms') ??
    (minutes === null ? config.get('log.retention.hours') * hourMs : minutes * minuteMs)
  return ms < 0 ? -1 : ms
}

/** `log.flush.interval.ms`, or `log.flush.scheduler.interval.ms`. */
export function logFlushMs(config: BrokerConfigReader): number {
  return config.get('log.flush.interval.ms') ?? config.get('log.flush.scheduler.interval.ms')
}

/** `log.dirs`, or `log.dir`. */
export function logDirectories(config: BrokerConfigReader): readonly string[] {
  return config.get('log.dirs') ?? config.get('log.dir')
}

/** `cordoned.log.dirs`, with `*` meaning all. */
export function cordonedDirectories(config: BrokerConfigReader): readonly string[] {
  const cordoned = config.get('cordoned.log.dirs')
  return cordoned.includes('*') ? logDirectories(config) : cordoned
}
