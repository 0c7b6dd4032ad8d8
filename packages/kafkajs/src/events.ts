/** Instrumentation events, as KafkaJS's clients emit them. */
import { KafkaJSNonRetriableError } from './errors.ts'
import type { InstrumentationEvent, RemoveInstrumentationEventListener } from './event-types.ts'
import type { Logger } from './logger.ts'

export type Listener = (event: InstrumentationEvent<never>) => void | Promise<void>

export class InstrumentationEvents<Names extends Readonly<Record<string, string>>> {
  readonly names: Names
  readonly #logger: Logger
  readonly #listeners = new Map<string, Set<Listener>>()
  #nextId = 0

  constructor(names: Names, logger: Logger) {
    this.names = names
    this.#logger = logger
  }

  /** @throws KafkaJSNonRetriableError for a name that there is not. */
  on(eventName: string, listener: Listener): RemoveInstrumentationEventListener {
    if (!Object.values(this.names).includes(eventName))
      throw new KafkaJSNonRetriableError(`Event name should be one of ${Object.keys(this.names).join(', ')}`)
    const listeners = this.#listeners.get(eventName) ?? new Set()
    this.#listeners.set(eventName, listeners)
    listeners.add(listener)
    return () => {
      listeners.delete(listener)
    }
  }

  /** Nobody waits for listeners, and their errors are only logged. */
  emit(type: Names[keyof Names], payload: unknown = null): void {
    const listeners = this.#listeners.get(type)
    if (listeners === undefined || listeners.size === 0) return
    const event = { id: this.#nextId++ as unknown as string, type, timestamp: Date.now(), payload: payload as never }
    for (const listener of listeners) void this.#call(listener, event)
  }

  async #call(listener: Listener, event: InstrumentationEvent<never>): Promise<void> {
    try {
      await listener(event)
    } catch (error) {
      const { message, stack } = error instanceof Error ? error : { message: String(error), stack: undefined }
      this.#logger.error(`Failed to execute listener: ${message}`, { eventName: event.type, stack })
    }
  }
}
