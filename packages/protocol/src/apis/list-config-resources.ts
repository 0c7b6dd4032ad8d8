import { api } from '../schema/api.ts'
import { array, int16, int32, int8, string } from '../schema/field.ts'

/** Lists resources that have configs: client metrics in version 0 (KIP-714), all kinds since 1 (KIP-1142). */
export const ListConfigResources = api({
  key: 74,
  name: 'ListConfigResources',
  versions: [0, 1],
  flexible: 0,
  request: {
    resourceTypes: array(int8).since(1),
  },
  response: {
    throttleTimeMs: int32,
    errorCode: int16,
    configResources: array({ resourceName: string, resourceType: int8.since(1).default(16).ignorable() }),
  },
})
