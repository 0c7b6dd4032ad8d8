export * from './interpreter.ts'
export * from './message-arbitrary.ts'
