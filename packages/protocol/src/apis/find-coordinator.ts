import { api } from '../schema/api.ts'
import { array, int16, int32, int8, string } from '../schema/field.ts'

/**
 * Finds the coordinator of a group, of a transactional id (since version 1) or of a share partition (since 6, KIP-932).
 * Several keys at once since version 4 (KIP-699).
 */
export const FindCoordinator = api({
  key: 10,
  name: 'FindCoordinator',
  versions: [0, 6],
  flexible: 3,
  request: {
    key: string.upTo(3),
    /** 0 group, 1 transactional id, 2 share partition. */
    keyType: int8.since(1),
    coordinatorKeys: array(string).since(4),
  },
  response: {
    throttleTimeMs: int32.since(1).ignorable(),
    errorCode: int16.upTo(3),
    errorMessage: string.since(1).upTo(3).nullable().ignorable(),
    nodeId: int32.upTo(3),
    host: string.upTo(3),
    port: int32.upTo(3),
    coordinators: array({
      key: string,
      nodeId: int32,
      host: string,
      port: int32,
      errorCode: int16,
      errorMessage: string.nullable(),
    }).since(4),
  },
})
