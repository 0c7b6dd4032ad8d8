export { SeededRandom } from './seeded-random.ts'
export { SimulatedClock, SimulatedTime } from './simulated-clock.ts'
export { SimulatedDisk } from './simulated-disk.ts'
export type { DiskFault, DiskOperation } from './fault-rules.ts'
export { SimulatedNetwork } from './simulated-network.ts'
export { SimulatedLink } from './simulated-link.ts'
export type { LinkSettings } from './simulated-link.ts'
export { simulation, SimulatedHost, Simulation } from './simulation.ts'
export {
  testCa,
  testClientCertificate,
  testClientKey,
  testExpiredCertificate,
  testSelfSignedCertificate,
  testSelfSignedKey,
  testServerCertificate,
  testServerKey,
} from './test-certificates.ts'
