/** Whether share groups are served: by the cluster's features. Kafka has no setting for it since 4.2. */
import type { BrokerServices } from '../server/broker-services.ts'

export function servesShareGroups({ metadata }: Pick<BrokerServices, 'metadata'>): boolean {
  return metadata.image.features.level('share.version') > 0
}
