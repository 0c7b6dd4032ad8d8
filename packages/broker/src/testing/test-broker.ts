/** A broker for tests: in memory, on a free port, gone at the end of the block (`await using`). */
import { EmbeddedTree } from '@millrace/coordination'
import { MemoryDisk, nodeRuntime, silentLogger, type Logger, type Runtime } from '@millrace/runtime'
import { Broker } from '../broker.ts'
import { BrokerConfig } from '../config/broker-config.ts'
import type { PropertyInput } from '../config/properties.ts'
import { RawClient } from './raw-client.ts'

export interface TestBrokerOptions {
  readonly configs?: Readonly<Record<string, PropertyInput>>
  readonly logger?: Logger
  /** Default: the real world with a disk in memory. */
  readonly runtime?: Runtime
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
    const tree = cleanup.use(await EmbeddedTree.open({ clock: runtime.clock }))
    const config = BrokerConfig.of({
      listeners: 'PLAINTEXT://127.0.0.1:0',
      'log.dirs': '/logs',
      ...options.configs,
    })
    const broker = cleanup.use(await Broker.start({ runtime, config, tree, logger: options.logger ?? silentLogger }))
    return new TestBroker(broker, cleanup.move())
  }

  connect(): Promise<RawClient> {
    return RawClient.open(this.port)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cleanup.disposeAsync()
  }
}
