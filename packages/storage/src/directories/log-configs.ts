/** The configurations of the topics that have logs here: asked for once, until they change. */
import type { LogConfig } from '../log-config.ts'
import type { LogBooks } from './log-books.ts'
import { demandsSync } from './log-maker.ts'

export class LogConfigs {
  readonly #ask: (topic: string) => LogConfig
  readonly #books: LogBooks
  readonly #byTopic = new Map<string, LogConfig>()

  constructor(books: LogBooks, ask: (topic: string) => LogConfig) {
    this.#ask = ask
    this.#books = books
  }

  of(topic: string): LogConfig {
    let config = this.#byTopic.get(topic)
    if (config === undefined) {
      config = this.#ask(topic)
      this.#byTopic.set(topic, config)
    }
    return config
  }

  /** Asks again: for one topic, or for all. Logs that are now to survive a crash of the system are made durable before this returns. */
  update(topic?: string): void {
    for (const name of topic === undefined ? [...this.#byTopic.keys()] : [topic]) {
      this.#byTopic.delete(name)
      if (!this.#books.hasTopic(name)) continue
      const config = this.of(name)
      for (const hosted of this.#books.ofTopic(name)) {
        const { log, directory } = hosted
        const demandedSync = demandsSync(log.config)
        log.config = config
        if (!demandedSync && demandsSync(config)) directory.guard(() => directory.unsettled.settleNow(hosted))
      }
    }
  }

  /** A log of the topic has gone, perhaps the last one. */
  forgetUnused(topic: string): void {
    if (!this.#books.hasTopic(topic)) this.#byTopic.delete(topic)
  }
}
