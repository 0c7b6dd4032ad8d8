export * from './assignor.ts'
export * from './built-in-assignors.ts'
