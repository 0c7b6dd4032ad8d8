export { answerMemory } from './answer-memory.ts'
export { BrokerConnection } from './broker-connection.ts'
export type { SendOptions } from './broker-connection.ts'
export type { ConnectionObserver, EndedRequest } from './connection-observer.ts'
export { requestCarriesRecords } from './carries-records.ts'
export { connectToBroker } from './connect-to-broker.ts'
export type { ConnectToBrokerOptions } from './connect-to-broker.ts'
export type { Stage } from './failures.ts'
export { Frame } from './frame.ts'
export type { FrameHome } from './frame.ts'
export { FrameReceiver } from './frame-receiver.ts'
export type { FrameOwner, FrameReceiverOptions } from './frame-receiver.ts'
export { FrameSender } from './frame-sender.ts'
export type { FrameSenderOptions } from './frame-sender.ts'
export { ReceiveMemory } from './receive-memory.ts'
export type { ReceiveMemoryOptions } from './receive-memory.ts'
export { clientCredentials } from './sasl/client-credentials.ts'
export type { ClientCredentialsOptions } from './sasl/client-credentials.ts'
export type {
  OAuthBearerCredentials,
  OAuthBearerToken,
  OAuthBearerTokenProvider,
  PlainCredentials,
  SaslCredentials,
  ScramCredentials,
} from './sasl/credentials.ts'
export { noFeatures, VersionRanges } from './version-ranges.ts'
export type { FinalizedFeatures } from './version-ranges.ts'
