/** Makes the consumer of `kafka.consumer()`. */
import type { ClientContext } from '../client-context.ts'
import { openMembership } from '../groups/open-membership.ts'
import type { Deserializer } from '../serde/serde.ts'
import type { Consumer } from './consumer.ts'
import { ConsumerCore } from './consumer-core.ts'
import { KafkaConsumer } from './kafka-consumer.ts'
import type { consumerOptions } from './options.ts'

export const CONSUMER_METRICS = 'consumer-metrics'

/** @throws TypeError for settings that do not go together. */
export function openConsumer<K, V>(context: ClientContext<typeof consumerOptions>): Consumer<K, V> {
  const { key, value } = context.settings
  const core = new ConsumerCore<K, V>({
    context,
    deserializers: { key: key as Deserializer<K> | null, value: value as Deserializer<V> | null },
    openMembership: (options) => openMembership({ ...options, heartbeats: context.heartbeats }),
  })
  return new KafkaConsumer<K, V>({
    core,
    metrics: () => context.metrics.all(),
    run: () => {
      throw new Error('run() is not here yet')
    },
  })
}
