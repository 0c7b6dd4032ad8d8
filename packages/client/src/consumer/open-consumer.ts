/** Makes the consumer of `kafka.consumer()`. */
import type { ClientContext } from '../client-context.ts'
import { openMembership } from '../groups/open-membership.ts'
import { statelessPattern } from '../groups/stateless-pattern.ts'
import { openProducer } from '../producer/open-producer.ts'
import type { Deserializer } from '../serde/serde.ts'
import { ConsumerCore } from './consumer-core.ts'
import type { Consumer } from './consumer.ts'
import { KafkaConsumer } from './kafka-consumer.ts'
import { consumerOptions } from './options.ts'
import type { Deserializers } from './records/record-origin.ts'
import { runConsumer } from './run/run-consumer.ts'
import type { RunHost } from './run/run-host.ts'

export const CONSUMER_METRICS = 'consumer-metrics'

/** @throws TypeError for settings that do not go together. */
export function openConsumer<K, V>(context: ClientContext<typeof consumerOptions>): Consumer<K, V> {
  const { key, value } = context.settings
  const deserializers: Deserializers<K, V> = {
    key: key as Deserializer<K> | null,
    value: value as Deserializer<V> | null,
  }
  const core = new ConsumerCore<K, V>({
    context,
    deserializers,
    openMembership: (options) => {
      const { heartbeats, metrics } = context
      return openMembership({ ...options, heartbeats, metrics })
    },
  })
  return new KafkaConsumer<K, V>({
    core,
    metrics: () => context.metrics.all(),
    run: (consumer, options) => runConsumer({ consumer, deserializers, ...runHost(core, context) }, options),
  })
}

function runHost<K, V>(
  core: ConsumerCore<K, V>,
  { settings, contexts, cluster }: ClientContext<typeof consumerOptions>,
): Omit<RunHost<K, V>, 'consumer' | 'deserializers'> {
  const { clientId, logger } = settings
  return {
    source: core.source,
    cluster,
    settings,
    reads: (topic) => reads(core, topic),
    readsByName: (topic) => !(core.subscription instanceof RegExp) && reads(core, topic),
    alsoSubscribe: core.subscription === null ? null : (topics) => core.alsoSubscribe(topics),
    openProducer: () => openProducer<Uint8Array, Uint8Array>(contexts, { clientId, logger, acks: 'all' }),
    openScanner: () => {
      const options = { clientId, logger, isolationLevel: 'read_committed', offsetReset: 'earliest' } as const
      return openConsumer(contexts.open(consumerOptions, options, 'consumer.run()', CONSUMER_METRICS))
    },
  }
}

function reads<K, V>({ subscription, assignment }: ConsumerCore<K, V>, topic: string): boolean {
  if (subscription === null) return assignment.topics().includes(topic)
  return subscription instanceof RegExp ? statelessPattern(subscription).test(topic) : subscription.includes(topic)
}
