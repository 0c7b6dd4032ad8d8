import { api } from '../schema/api.ts'
import { array, bool, int16, int32, int64, string, uint16, uuid } from '../schema/field.ts'

/**
 * A broker registers with the controller (KIP-631). Log directories since version 2 (KIP-858), the epoch before a clean
 * shutdown since 3 (KIP-966).
 */
export const BrokerRegistration = api({
  key: 62,
  name: 'BrokerRegistration',
  versions: [0, 4],
  flexible: 0,
  request: {
    brokerId: int32,
    clusterId: string,
    incarnationId: uuid,
    listeners: array({ name: string, host: string, port: uint16, securityProtocol: int16 }),
    features: array({ name: string, minSupportedVersion: int16, maxSupportedVersion: int16 }),
    rack: string.nullable(),
    isMigratingZkBroker: bool.since(1),
    logDirs: array(uuid).since(2).ignorable(),
    previousBrokerEpoch: int64.since(3).default(-1n).ignorable(),
  },
  response: {
    throttleTimeMs: int32,
    errorCode: int16,
    brokerEpoch: int64.default(-1n),
  },
})
