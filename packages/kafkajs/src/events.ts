/** Instrumentation events, as KafkaJS's clients emit them. */
import type { Logger } from './logger.ts'
import { KafkaJSNonRetriableError } from './errors.ts'

export interface InstrumentationEvent<T> {
  readonly id: number
  readonly type: string
  readonly timestamp: number
  readonly payload: T
}

/** Payloads differ by event, and KafkaJS's programs read their fields without a question. */
// oxlint-disable-next-line typescript/no-explicit-any
export type AnyEvent = InstrumentationEvent<any>

export type RemoveInstrumentationEventListener = () => void

type Listener = (event: InstrumentationEvent<never>) => void | Promise<void>

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
  on(
    eventName: string,
    listener: (event: InstrumentationEvent<never>) => void | Promise<void>,
  ): RemoveInstrumentationEventListener {
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
    const event = { id: this.#nextId++, type, timestamp: Date.now(), payload: payload as never }
    for (const listener of listeners) void this.#call(listener, event)
  }

  async #call(listener: Listener, event: InstrumentationEvent<never>): Promise<void> {
    try {
      await listener(event)
    } catch (error) {
      const { message, stack } = error as Error
      this.#logger.error(`Failed to execute listener: ${message}`, { eventName: event.type, stack })
    }
  }
}
