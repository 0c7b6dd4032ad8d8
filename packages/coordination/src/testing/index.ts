export { testCoordinationTree } from './contract.ts'
export type { EngineUnderTest } from './contract.ts'
