/** Names what has configurations. Version 0 knows client metrics subscriptions only (KIP-714), version 1 all kinds (KIP-1142). */
import { ErrorCode, ListConfigResources } from '@millrace/protocol'
import { ResourceType } from '../config/config-resources.ts'
import type { MetadataImage } from '../metadata/image.ts'
import { handler } from '../server/handler.ts'

const allTypes: readonly number[] = Object.values(ResourceType)

export const listConfigResources = handler(ListConfigResources, (request, { broker, version }) => {
  const supported = version === 0 ? [ResourceType.CLIENT_METRICS] : allTypes
  const wanted = request.resourceTypes.length === 0 ? supported : request.resourceTypes
  if (wanted.some((type) => !supported.includes(type)))
    return { throttleTimeMs: 0, errorCode: ErrorCode.UNSUPPORTED_VERSION, configResources: [] }
  const configResources = supported
    .filter((type) => wanted.includes(type))
    .flatMap((resourceType) =>
      namesOf(resourceType, broker.metadata.image).map((resourceName) => ({ resourceName, resourceType })),
    )
  return { throttleTimeMs: 0, errorCode: ErrorCode.NONE, configResources }
})

function namesOf(type: number, image: MetadataImage): string[] {
  switch (type) {
    case ResourceType.GROUP:
      return image.configNames('groups')
    case ResourceType.CLIENT_METRICS:
      return image.configNames('client-metrics')
    case ResourceType.TOPIC:
      return [...image.topics.keys()]
    default:
      return [...image.brokers.values()].filter(({ fenced }) => !fenced).map(({ id }) => String(id))
  }
}
