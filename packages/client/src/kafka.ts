/** Where an application begins: the cluster's address and how to get in, and from there the clients. */
import { ClientContexts } from './client-context.ts'
import type { KafkaOptions } from './config/client-options.ts'
import { realWorld, type World } from './world.ts'

export class Kafka {
  /** For the clients' makers. */
  protected readonly contexts: ClientContexts

  /** Connects to nobody yet. @throws TypeError for options that are unknown or wrong. */
  constructor(options: KafkaOptions, world: World = realWorld()) {
    this.contexts = new ClientContexts(options, world)
  }
}
