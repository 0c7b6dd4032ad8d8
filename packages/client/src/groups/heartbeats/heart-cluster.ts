import { Cluster } from '../../cluster/cluster.ts'
import type { ClientSettings } from '../../config/client-options.ts'
import { Metrics } from '../../observe/metrics.ts'
import type { World } from '../../world.ts'

/** A heart's own way to the cluster. Its traffic is counted, and shown nowhere: Kafka's metrics of a client know no second one. */
export function heartCluster(settings: ClientSettings, world: World): Cluster {
  const metrics = new Metrics(world.clock, { 'client-id': settings.clientId ?? '' })
  return new Cluster({ settings, world, metrics, metricsGroup: 'consumer-coordinator-metrics' })
}
