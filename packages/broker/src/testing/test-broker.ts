/** A broker for tests: in memory, on a free port, gone at the end of the block (`await using`). */
import { EmbeddedTree, type CoordinationTree } from '@millrace/coordination'
import { CreateTopics, ErrorCode, errorName } from '@millrace/protocol'
import { MemoryDisk, nodeRuntime, silentLogger, type Logger, type Runtime } from '@millrace/runtime'
import { Broker, type BrokerOptions } from '../broker.ts'
import { BrokerConfig } from '../config/broker-config.ts'
import type { PropertyInput } from '../config/properties.ts'
import { RawClient } from './raw-client.ts'

export interface TestBrokerOptions {
  readonly configs?: Readonly<Record<string, PropertyInput>>
  readonly logger?: Logger
  readonly featureLevels?: BrokerOptions['featureLevels']
  /** Default: the real world with a disk in memory. */
  readonly runtime?: Runtime
  /** What survives a restart besides the disk. Default: one of its own. The caller disposes it. */
  readonly tree?: CoordinationTree
}

export interface TestTopicOptions {
  /** Default 1. */
  readonly partitions?: number
  readonly configs?: Readonly<Record<string, string | number>>
}

export class TestBroker implements AsyncDisposable {
  readonly broker: Broker
  readonly port: number
  readonly #cleanup: AsyncDisposableStack

  private constructor(broker: Broker, cleanup: AsyncDisposableStack) {
    this.broker = broker
    this.port = broker.listeners[0]!.address.port
    this.#cleanup = cleanup
  }

  static async start(options: TestBrokerOptions = {}): Promise<TestBroker> {
    await using cleanup = new AsyncDisposableStack()
    const real = nodeRuntime()
    const runtime = options.runtime ?? { ...real, disk: new MemoryDisk({ now: () => real.clock.now() }) }
    const tree = options.tree ?? cleanup.use(await EmbeddedTree.open({ clock: runtime.clock }))
    const config = BrokerConfig.of({
      listeners: 'PLAINTEXT://127.0.0.1:0',
      'log.dirs': '/logs',
      ...options.configs,
    })
    const { logger = silentLogger, featureLevels = {} } = options
    const broker = cleanup.use(await Broker.start({ runtime, config, tree, logger, featureLevels }))
    return new TestBroker(broker, cleanup.move())
  }

  connect(): Promise<RawClient> {
    return RawClient.open(this.port)
  }

  /** Returns its id. */
  async createTopic(name: string, { partitions = 1, configs = {} }: TestTopicOptions = {}): Promise<string> {
    const client = await this.connect()
    const { topics } = await client.ask(CreateTopics, 7, {
      timeoutMs: 10_000,
      topics: [
        {
          name,
          numPartitions: partitions,
          replicationFactor: 1,
          assignments: [],
          configs: Object.entries(configs).map(([key, value]) => ({ name: key, value: String(value) })),
        },
      ],
    })
    client.close()
    const { errorCode, errorMessage, topicId } = topics[0]!
    if (errorCode !== ErrorCode.NONE)
      throw new Error(`${name} was not created: ${errorName(errorCode)} ${errorMessage}`)
    return topicId
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cleanup.disposeAsync()
  }
}
