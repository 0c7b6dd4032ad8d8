/** Where an application begins: the cluster's address and how to get in, and from there the clients. */
import { ADMIN_METRICS, adminOptions, openAdmin, type Admin, type AdminOptions } from './admin/admin.ts'
import { ClientContexts } from './client-context.ts'
import type { KafkaOptions } from './config/client-options.ts'
import type { Consumer } from './consumer/consumer.ts'
import { CONSUMER_METRICS, openConsumer } from './consumer/open-consumer.ts'
import { consumerOptions, type ConsumerOptions } from './consumer/options.ts'
import { sameLoopHost } from './groups/heartbeats/same-loop-host.ts'
import { ThreadHost } from './groups/heartbeats/thread-host.ts'
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

  /** Keys and values are bytes unless serdes say otherwise. @throws TypeError for options that are unknown or wrong. */
  consumer<K = Uint8Array, V = Uint8Array>(options: ConsumerOptions<K, V> = {}): Consumer<K, V> {
    return openConsumer(this.contexts.open(consumerOptions, options, 'kafka.consumer()', CONSUMER_METRICS))
  }

  /** @throws TypeError for options that are unknown or wrong. */
  admin(options: AdminOptions = {}): Admin {
    return openAdmin(this.contexts.open(adminOptions, options, 'kafka.admin()', ADMIN_METRICS))
  }
}
