export { startBroker } from './start-broker.ts'
export type { BrokerConfigInput, RunningBroker, StartBrokerOptions } from './start-broker.ts'
export type { Logger, LogFields } from '@millrace/runtime'
export * from '@millrace/client'
