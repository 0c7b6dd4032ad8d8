export * from './errors.ts'
export { logLevel } from './logger.ts'
export type { logCreator, LogEntry, Logger, LoggerEntryContent } from './logger.ts'
export type { InstrumentationEvent, RemoveInstrumentationEventListener } from './events.ts'
