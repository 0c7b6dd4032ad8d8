/** Which APIs and versions this broker serves, and its features. Client name and version from 3 (KIP-511), features KIP-584. */
import { ApiVersions, ErrorCode, type ResponseInput } from '@millrace/protocol'
import { SUPPORTED_FEATURES } from '../metadata/features.ts'
import type { FeaturesImage } from '../metadata/features.ts'
import { handler, type Handler } from '../server/handler.ts'

type ApiVersionsAnswer = ResponseInput<typeof ApiVersions>

/** What a client may call itself. */
const softwareName = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/

export const apiVersions = handler(ApiVersions, (request, context) => {
  const { handlers, metadata } = context.broker
  const { features } = metadata.image
  const isNamed = softwareName.test(request.clientSoftwareName) && softwareName.test(request.clientSoftwareVersion)
  if (context.version >= 3 && !isNamed) return { errorCode: ErrorCode.INVALID_REQUEST, apiKeys: [], throttleTimeMs: 0 }
  return {
    errorCode: ErrorCode.NONE,
    apiKeys: servedVersions(handlers),
    throttleTimeMs: 0,
    supportedFeatures: supportedFeatures(context.version),
    finalizedFeaturesEpoch: BigInt(features.epoch),
    finalizedFeatures: finalizedFeatures(features),
  }
})

/** The answer, in version 0, to a version of ApiVersions that is not served: it names the versions that are. */
export function unsupportedApiVersions(handlers: ReadonlyMap<number, Handler>): ApiVersionsAnswer {
  return {
    errorCode: ErrorCode.UNSUPPORTED_VERSION,
    apiKeys: servedVersions(handlers).filter(({ apiKey }) => apiKey === ApiVersions.key),
  }
}

/** Clients before version 4 fail on a range that begins with 0 (KAFKA-17492): they are not told of such features. */
function supportedFeatures(version: number): NonNullable<ApiVersionsAnswer['supportedFeatures']> {
  return Array.from(SUPPORTED_FEATURES, ([name, { min, max }]) => ({ name, minVersion: min, maxVersion: max })).filter(
    ({ minVersion }) => version >= 4 || minVersion > 0,
  )
}

/** Those above level 0, each as a range of one level. */
function finalizedFeatures({ levels }: FeaturesImage): NonNullable<ApiVersionsAnswer['finalizedFeatures']> {
  return Array.from(levels, ([name, level]) => ({ name, minVersionLevel: level, maxVersionLevel: level }))
}

function servedVersions(
  handlers: ReadonlyMap<number, Handler>,
): { apiKey: number; minVersion: number; maxVersion: number }[] {
  return [...handlers.values()]
    .map(({ api, versions: [minVersion, maxVersion] }) => ({ apiKey: api.key, minVersion, maxVersion }))
    .sort((left, right) => left.apiKey - right.apiKey)
}
