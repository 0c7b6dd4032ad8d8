import { api } from '../schema/api.ts'
import { array, bool, int16, int32, int64, string } from '../schema/field.ts'

/**
 * The versions of every API and, since version 3, the features of the cluster (KIP-584); the client names itself then
 * (KIP-511). Answers with version 0 when the version asked for is unknown. Features of minimum 0 show since version 4.
 */
export const ApiVersions = api({
  key: 18,
  name: 'ApiVersions',
  versions: [0, 4],
  flexible: 3,
  request: {
    clientSoftwareName: string.since(3).ignorable(),
    clientSoftwareVersion: string.since(3).ignorable(),
  },
  response: {
    errorCode: int16,
    apiKeys: array({ apiKey: int16, minVersion: int16, maxVersion: int16 }),
    throttleTimeMs: int32.since(1).ignorable(),
    supportedFeatures: array({ name: string, minVersion: int16, maxVersion: int16 }).since(3).tag(0).ignorable(),
    /** -1 when unknown. */
    finalizedFeaturesEpoch: int64.since(3).default(-1n).tag(1).ignorable(),
    finalizedFeatures: array({ name: string, maxVersionLevel: int16, minVersionLevel: int16 })
      .since(3)
      .tag(2)
      .ignorable(),
    zkMigrationReady: bool.since(3).tag(3).ignorable(),
  },
})
