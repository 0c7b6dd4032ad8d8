/** A whole broker in a simulated world, for tests: started, stopped, killed, its machine crashed, and started again. */
import assert from 'node:assert/strict'
import { EmbeddedTree } from '@millrace/coordination'
import { CrashingStore } from '@millrace/coordination/testing'
import { connectToBroker, type BrokerConnection } from '@millrace/network'
import { CreateTopics, errorName } from '@millrace/protocol'
import { silentLogger } from '@millrace/runtime'
import { simulation, type Simulation, type SimulatedHost } from '@millrace/runtime/testing'
import { Broker, type BrokerOptions } from '../broker.ts'
import { BrokerConfig } from '../config/broker-config.ts'
import type { PropertyInput } from '../config/properties.ts'

export const directories = ['/a', '/b']

/** One host with a broker on it, and one from which clients connect. */
export class SimulatedBroker {
  readonly sim: Simulation
  readonly host: SimulatedHost
  readonly #configs: Readonly<Record<string, PropertyInput>>
  readonly #featureLevels: NonNullable<BrokerOptions['featureLevels']>
  #store = new CrashingStore()
  #tree: EmbeddedTree | null = null
  broker: Broker | null = null

  constructor(
    seed: number,
    configs: Readonly<Record<string, PropertyInput>> = {},
    featureLevels: NonNullable<BrokerOptions['featureLevels']> = {},
  ) {
    this.#configs = configs
    this.#featureLevels = featureLevels
    this.sim = simulation(seed)
    this.host = this.sim.host('broker')
  }

  run<T>(promise: Promise<T>): Promise<T> {
    return this.sim.time.run(promise)
  }

  async start(): Promise<void> {
    const { runtime } = this.host
    this.#tree = await this.run(EmbeddedTree.open({ clock: runtime.clock, store: this.#store }))
    const config = BrokerConfig.of({
      listeners: 'PLAINTEXT://broker:9092',
      'log.dirs': directories.join(','),
      ...this.#configs,
    })
    this.broker = await this.run(
      Broker.start({ runtime, config, tree: this.#tree, logger: silentLogger, featureLevels: this.#featureLevels }),
    )
  }

  async stop(): Promise<void> {
    await this.run(this.broker!.stop())
    await this.run(this.#tree![Symbol.asyncDispose]())
  }

  /** The process dies, or with `power` the machine. */
  crash(power: boolean): void {
    if (power) this.host.crash()
    else this.host.crashProcess()
    this.#store = this.#store.crash(this.sim.random.integer(2) === 0)
  }

  connect(): Promise<BrokerConnection> {
    const { runtime } = this.sim.host('client')
    return connectToBroker(runtime.transport, { host: 'broker', port: 9092 }, { clock: runtime.clock, clientId: null })
  }

  async createTopic(name: string, partitions: number, configs: Readonly<Record<string, string>> = {}): Promise<void> {
    const client = await this.run(this.connect())
    const { topics } = await this.run(
      client.send(CreateTopics, {
        timeoutMs: 10_000,
        topics: [
          {
            name,
            numPartitions: partitions,
            replicationFactor: 1,
            assignments: [],
            configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
          },
        ],
      }),
    )
    assert.equal(errorName(topics[0]!.errorCode), 'NONE')
    await this.run(client[Symbol.asyncDispose]())
  }
}
