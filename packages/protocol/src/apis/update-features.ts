import { api } from '../schema/api.ts'
import { array, bool, int16, int32, int8, string } from '../schema/field.ts'

/**
 * Changes the levels of features (KIP-584); kinds of upgrade since version 1 (KIP-778). One result for all since 2.
 */
export const UpdateFeatures = api({
  key: 57,
  name: 'UpdateFeatures',
  versions: [0, 2],
  flexible: 0,
  request: {
    timeoutMs: int32.default(60000),
    featureUpdates: array({
      feature: string,
      maxVersionLevel: int16,
      allowDowngrade: bool.upTo(0),
      upgradeType: int8.since(1).default(1),
    }),
    validateOnly: bool.since(1),
  },
  response: {
    throttleTimeMs: int32,
    errorCode: int16,
    errorMessage: string.nullable(),
    results: array({ feature: string, errorCode: int16, errorMessage: string.nullable() }).upTo(1).ignorable(),
  },
})
