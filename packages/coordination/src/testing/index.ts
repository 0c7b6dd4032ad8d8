export { testCoordinationTree } from './contract.ts'
export type { EngineUnderTest } from './contract.ts'
export { CrashingStore } from './crashing-store.ts'
