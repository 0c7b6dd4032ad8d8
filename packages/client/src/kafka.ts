/** Where an application begins: the cluster's address and how to get in, and from there the clients. */
import { ADMIN_METRICS, adminOptions, openAdmin, type Admin, type AdminOptions } from './admin/admin.ts'
import { ClientContexts } from './client-context.ts'
import type { KafkaOptions } from './config/client-options.ts'
import { sameLoopHost } from './groups/heartbeats/same-loop-host.ts'
import { ThreadHost } from './groups/heartbeats/thread-host.ts'
import { openShareConsumer, SHARE_CONSUMER_METRICS } from './share/open-share-consumer.ts'
import { shareConsumerOptions, type ShareConsumerOptions } from './share/options.ts'
import type { ShareConsumer } from './share/share-consumer.ts'
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

  /** A member of a share group (KIP-932). @throws TypeError for options that are unknown or wrong. */
  shareConsumer<K = Uint8Array, V = Uint8Array>(options: ShareConsumerOptions<K, V>): ShareConsumer<K, V> {
    return openShareConsumer<K, V>(
      this.contexts.open(shareConsumerOptions, options, 'kafka.shareConsumer()', SHARE_CONSUMER_METRICS),
    )
  }
}
