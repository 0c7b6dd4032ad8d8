export { RawClient } from './raw-client.ts'
export { batchOf } from './records.ts'
export { SimulatedBroker } from './simulated-broker.ts'
export { TestBroker, type TestBrokerOptions } from './test-broker.ts'
export {
  acquiredIn,
  initializeShareState,
  ShareMember,
  valuesIn,
  type ShareFetched,
  type ShareFetchOptions,
} from './share-member.ts'
export { until } from './until.ts'
