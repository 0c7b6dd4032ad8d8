import { api } from '../schema/api.ts'
import { array, bool, int16, int32, int64, uuid } from '../schema/field.ts'

/**
 * Keeps a registered broker alive; fences, unfences and shuts down (KIP-631). Offline log directories since version 1
 * (KIP-858), cordoned ones since 2 (KIP-1066).
 */
export const BrokerHeartbeat = api({
  key: 63,
  name: 'BrokerHeartbeat',
  versions: [0, 2],
  flexible: 0,
  request: {
    brokerId: int32,
    brokerEpoch: int64.default(-1n),
    currentMetadataOffset: int64,
    wantFence: bool,
    wantShutDown: bool,
    offlineLogDirs: array(uuid).since(1).tag(0),
    cordonedLogDirs: array(uuid).since(2).nullable().default(null).tag(1),
  },
  response: {
    throttleTimeMs: int32,
    errorCode: int16,
    isCaughtUp: bool.default(false),
    isFenced: bool.default(true),
    shouldShutDown: bool,
  },
})
