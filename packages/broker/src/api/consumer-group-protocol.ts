/** Whether groups of the consumer protocol are served: by this broker's settings and the cluster's features. */
import type { BrokerServices } from '../server/broker-services.ts'

export function servesConsumerGroups({ config, metadata }: BrokerServices): boolean {
  const isServed = config.get('group.coordinator.rebalance.protocols').includes('consumer')
  return isServed && metadata.image.features.level('group.version') >= 1
}
