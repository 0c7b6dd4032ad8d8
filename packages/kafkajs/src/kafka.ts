/** Where a KafkaJS program begins. */
import { createAdmin, type Admin, type AdminConfig } from './admin/admin.ts'
import type { KafkaConfig } from './connection-options.ts'
import { Connections } from './connections.ts'
import type { ConsumerConfig } from './consumer/consumer-config.ts'
import { createConsumer, type Consumer } from './consumer/consumer.ts'
import { createLogger, logLevel, type Logger } from './logger.ts'
import { createProducer, type Producer, type ProducerConfig } from './producer/producer.ts'

export class Kafka {
  readonly #connections: Connections
  readonly #logger: Logger

  constructor(config: KafkaConfig) {
    this.#logger = createLogger(config.logLevel ?? logLevel.INFO, config.logCreator)
    this.#connections = new Connections(config, this.#logger)
  }

  producer(config: ProducerConfig = {}): Producer {
    return createProducer(this.#connections, config, this.#logger)
  }

  consumer(config: ConsumerConfig): Consumer {
    return createConsumer(this.#connections, config, this.#logger)
  }

  admin(config: AdminConfig = {}): Admin {
    return createAdmin(this.#connections, config, this.#logger)
  }

  logger(): Logger {
    return this.#logger
  }
}
