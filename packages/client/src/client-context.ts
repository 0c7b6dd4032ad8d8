/** What every client is made of: its settings, and its own way to the cluster. */
import { bootstrapAddresses } from './cluster/bootstrap.ts'
import { Cluster } from './cluster/cluster.ts'
import { clientOptions, kafkaOptions, type ClientSettings, type KafkaOptions } from './config/client-options.ts'
import type { OptionSet, Settings } from './config/option.ts'
import { checkIsObject, settingsFrom } from './config/settings.ts'
import type { HeartbeatHost } from './groups/heartbeats/heart.ts'
import { sameLoopHost } from './groups/heartbeats/same-loop-host.ts'
import { carefulLogger } from './observe/careful-logger.ts'
import { Metrics } from './observe/metrics.ts'
import type { World } from './world.ts'

export interface ClientContext<S extends OptionSet> {
  readonly settings: Settings<S>
  /** Owned by the client, which disposes it. */
  readonly cluster: Cluster
  readonly metrics: Metrics
  readonly world: World
  /** Shared by all members of groups. */
  readonly heartbeats: HeartbeatHost
  /** For clients that need another one of the same cluster. */
  readonly contexts: ClientContexts
}

/** The options of `new Kafka`, checked, and a maker of clients that have them. */
export class ClientContexts {
  readonly #settings: ClientSettings
  /** As given: what clients have unless they say otherwise. */
  readonly #shared: Readonly<Record<string, unknown>>
  readonly #world: World
  readonly heartbeats: HeartbeatHost

  /** `heartbeats`: where members of groups keep themselves alive. */
  constructor(options: KafkaOptions, world: World, heartbeats: HeartbeatHost = sameLoopHost) {
    this.#settings = settingsFrom(kafkaOptions, options, 'new Kafka()')
    bootstrapAddresses(this.#settings.brokers)
    this.#shared = Object.fromEntries(Object.entries(options).filter(([name]) => name in clientOptions))
    this.#world = world
    this.heartbeats = heartbeats
  }

  /** `place` names the call in error messages, `metricsGroup` is Kafka's, as `producer-metrics`. @throws TypeError for options that are unknown or wrong. */
  open<S extends OptionSet>(
    options: S & typeof clientOptions,
    input: Readonly<Record<string, unknown>>,
    place: string,
    metricsGroup = 'client-metrics',
  ): ClientContext<S> {
    checkIsObject(input, place)
    const given = settingsFrom<S>(options, { ...this.#shared, ...withoutUndefined(input) }, place)
    const { brokers, ssl, sasl } = this.#settings
    const own = given as Settings<typeof clientOptions>
    const logger = carefulLogger(own.logger)
    const settings = { ...given, logger }
    const metrics = new Metrics(this.#world.clock, { 'client-id': own.clientId ?? '' })
    const cluster = new Cluster({
      settings: { ...own, logger, brokers, ssl, sasl },
      world: this.#world,
      metrics,
      metricsGroup,
    })
    return { settings, cluster, metrics, world: this.#world, heartbeats: this.heartbeats, contexts: this }
  }
}

function withoutUndefined(input: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined))
}
