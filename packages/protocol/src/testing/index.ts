export * from './interpreter.ts'
export * from './message-arbitrary.ts'
export { scramServer } from './scram-server.ts'
export type { ScramServerOptions } from './scram-server.ts'
