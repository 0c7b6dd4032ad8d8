/** The way to the intake past those who observe records: interceptors, which may change them, and tracing. Costs nothing where there are none. */
import type { Receiver } from '../batches/acknowledgement.ts'
import type { Intake } from './intake.ts'
import type { Interceptors } from './interceptors.ts'
import { TracedReceiver, type TraceOptions } from './traced-receiver.ts'
import type { AnyRecord } from './waiting-send.ts'
import type { Submission } from './waiting-sends.ts'

export class ObservedIntake {
  readonly #intake: Intake
  readonly #interceptors: Interceptors
  readonly #tracing: TraceOptions | null

  /** `tracing` null: none. */
  constructor(options: {
    readonly intake: Intake
    readonly interceptors: Interceptors
    readonly tracing: TraceOptions | null
  }) {
    this.#intake = options.intake
    this.#interceptors = options.interceptors
    this.#tracing = options.tracing
  }

  /** As `Intake.submit`. */
  submit(record: AnyRecord, receiver: Receiver, signal: AbortSignal | undefined): void {
    const sent = this.#interceptors.isEmpty ? record : this.#interceptors.sending(record)
    if (this.#tracing === null) {
      this.#intake.submit(sent, receiver, signal)
      return
    }
    const traced = new TracedReceiver(receiver, this.#tracing)
    this.#intake.submit(traced.trace(0, sent), traced, signal)
  }

  /** As `Intake.submitAll`. */
  submitAll({ records, receiver, signal }: Submission): void {
    const sent = this.#interceptors.isEmpty ? records : records.map((record) => this.#interceptors.sending(record))
    if (this.#tracing === null) {
      this.#intake.submitAll({ records: sent, receiver, signal })
      return
    }
    const traced = new TracedReceiver(receiver, this.#tracing)
    this.#intake.submitAll({
      records: sent.map((record, slot) => traced.trace(slot, record)),
      receiver: traced,
      signal,
    })
  }
}
