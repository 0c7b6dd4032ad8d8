// What one check works with: clients and topics of its own, gone when it ends.
import { Kafka, type KafkaOptions } from '@millrace/client'
import type { TopicOptions } from './fixture.ts'
import type { Testbed } from './testbed.ts'

let counted = 0

export class Bench implements AsyncDisposable {
  readonly testbed: Testbed
  /** Aborted when the check has taken too long. */
  readonly signal: AbortSignal
  readonly #resources = new AsyncDisposableStack()
  readonly #prefix: string

  constructor(testbed: Testbed, what: string, signal: AbortSignal) {
    this.testbed = testbed
    this.signal = signal
    this.#prefix = `${what.replaceAll(/[^a-z0-9]+/gi, '-').slice(0, 40)}-${++counted}`
  }

  get bootstrap(): string {
    return this.testbed.bootstrap
  }

  kafka(options: Partial<KafkaOptions> = {}): Kafka {
    return new Kafka({ brokers: this.bootstrap, clientId: 'client-suite', ...options })
  }

  /** A name that no other check uses. */
  name(part = ''): string {
    return `${this.#prefix}-${part}${++counted}`
  }

  /** A new topic with a name of its own. */
  async topic(options: TopicOptions = {}): Promise<string> {
    const name = this.name()
    await this.testbed.fixture.createTopic(name, options)
    return name
  }

  /** Closed when the check ends. */
  use<T extends AsyncDisposable>(resource: T): T {
    return this.#resources.use(resource)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync()
  }
}
