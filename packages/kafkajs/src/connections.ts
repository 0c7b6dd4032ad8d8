/** What the clients of one KafkaJS `Kafka` share: the configuration, and a client made of it when the first of them connects. */
import { Kafka as ClientKafka } from '@millrace/client'
import { kafkaOptions, type KafkaConfig } from './connection-options.ts'
import { KafkaJSError } from './errors.ts'
import type { Logger } from './logger.ts'
import { budgetMs, retryFrom, type RetryOptions } from './retry.ts'
import { exceeding } from './translate-error.ts'

export class Connections {
  readonly clientId: string
  readonly retry: RetryOptions | undefined
  readonly #config: KafkaConfig
  readonly #logger: Logger
  #kafka: ClientKafka | null = null

  constructor(config: KafkaConfig, logger: Logger) {
    this.clientId = config.clientId ?? 'kafkajs'
    this.retry = config.retry
    this.#config = config
    this.#logger = logger
  }

  /** Resolves when a broker has answered. @throws KafkaJSNumberOfRetriesExceeded when none does within the time of all retries. */
  async connect(): Promise<void> {
    this.#kafka ??= new ClientKafka(await kafkaOptions(this.#config, this.#logger))
    const retry = retryFrom(this.retry)
    const timeoutMs = budgetMs(retry) + (this.#config.connectionTimeout ?? 1_000)
    await using admin = this.#kafka.admin({ defaultApiTimeoutMs: timeoutMs })
    await exceeding(retry, admin.describeCluster())
  }

  /** @throws KafkaJSError before `connect`. */
  kafka(): ClientKafka {
    if (this.#kafka === null) throw new KafkaJSError('Not connected: call connect first', { retriable: false })
    return this.#kafka
  }
}
