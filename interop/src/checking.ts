export { fromAnswer, toJob } from './checks/context.ts'
export { eventually } from './checks/eventually.ts'
export type { Session } from './clients/foreign-client.ts'
export { java } from './clients/java.ts'
export { kcat } from './clients/kcat.ts'
export { corpus, lines, type TestRecord } from './corpus.ts'
export { anyRecord, codecs, type Codec } from './clients/foreign-client.ts'
export {
  exactReader,
  expectEqual,
  expectRecords,
  expectSameItems,
  expectTrue,
  type Expected,
  type ReadRecord,
} from './expect.ts'
export { inParallel } from './in-parallel.ts'
