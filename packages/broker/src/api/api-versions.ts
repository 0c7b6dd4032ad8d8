/** Which APIs and versions this broker serves, and its features. Client name and version from 3 (KIP-511), features KIP-584. */
import { ApiVersions, ErrorCode, type ResponseInput } from '@millrace/protocol'
import { handler, type Handler } from '../server/handler.ts'

type ApiVersionsAnswer = ResponseInput<typeof ApiVersions>

/** What a client may call itself. */
const softwareName = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/

export const apiVersions = handler(ApiVersions, (request, context) => {
  const { handlers } = context.broker
  const isNamed = softwareName.test(request.clientSoftwareName) && softwareName.test(request.clientSoftwareVersion)
  if (context.version >= 3 && !isNamed) return { errorCode: ErrorCode.INVALID_REQUEST, apiKeys: [], throttleTimeMs: 0 }
  return {
    errorCode: ErrorCode.NONE,
    apiKeys: servedVersions(handlers),
    throttleTimeMs: 0,
    supportedFeatures: [],
    finalizedFeaturesEpoch: 0n,
    finalizedFeatures: [],
  }
})

/** The answer, in version 0, to a version of ApiVersions that is not served: it names the versions that are. */
export function unsupportedApiVersions(handlers: ReadonlyMap<number, Handler>): ApiVersionsAnswer {
  return {
    errorCode: ErrorCode.UNSUPPORTED_VERSION,
    apiKeys: servedVersions(handlers).filter(({ apiKey }) => apiKey === ApiVersions.key),
  }
}

function servedVersions(
  handlers: ReadonlyMap<number, Handler>,
): { apiKey: number; minVersion: number; maxVersion: number }[] {
  return [...handlers.values()]
    .map(({ api, versions: [minVersion, maxVersion] }) => ({ apiKey: api.key, minVersion, maxVersion }))
    .sort((left, right) => left.apiKey - right.apiKey)
}
