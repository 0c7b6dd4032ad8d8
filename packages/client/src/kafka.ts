/** Where an application begins: the cluster's address and how to get in, and from there the clients. */
import { ADMIN_METRICS, adminOptions, openAdmin, type Admin, type AdminOptions } from './admin/admin.ts'
import { ClientContexts } from './client-context.ts'
import type { KafkaOptions } from './config/client-options.ts'
import type { Consumer } from './consumer/consumer.ts'
import { CONSUMER_METRICS, openConsumer } from './consumer/open-consumer.ts'
import { consumerOptions, type ConsumerOptions } from './consumer/options.ts'
import { sameLoopHost } from './groups/heartbeats/same-loop-host.ts'
import { ThreadHost } from './groups/heartbeats/thread-host.ts'
import { openShareConsumer, SHARE_CONSUMER_METRICS } from './share/open-share-consumer.ts'
import { shareConsumerOptions, type ShareConsumerOptions } from './share/options.ts'
import type { ShareConsumer } from './share/share-consumer.ts'
import { openProducer, type Unserialized } from './producer/open-producer.ts'
import type { ProducerOptions } from './producer/options.ts'
import type { Producer } from './producer/producer.ts'
import type { ProducerRecord, TopiclessRecord } from './record.ts'
import type { Serializer } from './serde/serde.ts'
import { realWorld, type World } from './world.ts'

export class Kafka {
  /** For the clients' makers. */
  protected readonly contexts: ClientContexts

  /** Connects to nobody yet. @throws TypeError for options that are unknown or wrong. */
  constructor(options: KafkaOptions, world?: World) {
    // A thread is of the real world, and would not see a simulated one.
    const heartbeats = world === undefined ? new ThreadHost() : sameLoopHost
    this.contexts = new ClientContexts(options, world ?? realWorld(), heartbeats)
  }

  /** @throws TypeError for options that are unknown or wrong. */
  admin(options: AdminOptions = {}): Admin {
    return openAdmin(this.contexts.open(adminOptions, options, 'kafka.admin()', ADMIN_METRICS))
  }

  /** Keys and values are bytes unless serdes say otherwise. @throws TypeError for options that are unknown or wrong. */
  consumer<K = Uint8Array, V = Uint8Array>(options: ConsumerOptions<K, V> = {}): Consumer<K, V> {
    return openConsumer(this.contexts.open(consumerOptions, options, 'kafka.consumer()', CONSUMER_METRICS))
  }

  /**
   * A producer; it connects when something is sent. Types of keys and values follow from the serializers `key` and `value`; without them they
   * are bytes or texts. With the option `topic` records need not name one.
   * @throws TypeError for options that are unknown, wrong, or contradict each other.
   */
  producer<K = Unserialized, V = Unserialized>(
    options: ProducerOptions<K, V> & { readonly topic: string },
  ): Producer<TopiclessRecord<K, V>>
  producer<K = Unserialized, V = Unserialized>(options?: ProducerOptions<K, V>): Producer<ProducerRecord<K, V>>
  /** With the type of the values alone, for keys that are texts. */
  producer<V>(
    options: ProducerOptions<string, V> & { readonly topic: string; readonly key: Serializer<string> },
  ): Producer<TopiclessRecord<string, V>>
  producer<K, V>(
    options: ProducerOptions<K, V> = {},
  ): Producer<ProducerRecord<K, V>> & Producer<TopiclessRecord<K, V>> {
    return openProducer(this.contexts, options)
  }

  /** A member of a share group (KIP-932). @throws TypeError for options that are unknown or wrong. */
  shareConsumer<K = Uint8Array, V = Uint8Array>(options: ShareConsumerOptions<K, V>): ShareConsumer<K, V> {
    return openShareConsumer<K, V>(
      this.contexts.open(shareConsumerOptions, options, 'kafka.shareConsumer()', SHARE_CONSUMER_METRICS),
    )
  }
}
