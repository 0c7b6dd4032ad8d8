export * from './errors.ts'
export * from './malformed-message-error.ts'
