/** Records that could not be batched when they were sent: their topic is not known yet, or memory is full. */
import type { ProducerRecord } from '../../record.ts'
import type { Receiver } from '../batches/acknowledgement.ts'

export type AnyRecord = Partial<Pick<ProducerRecord<unknown, unknown>, 'topic'>> &
  Omit<ProducerRecord<unknown, unknown>, 'topic'>

export class WaitingSend {
  readonly records: readonly AnyRecord[]
  readonly receiver: Receiver
  /** On the monotonic clock: when they have waited for maxBlockMs. */
  readonly deadlineMs: number
  readonly signal: AbortSignal | undefined
  readonly end: number
  /** Grows with each submission; what waits for memory, and then for its topic, keeps it. */
  readonly serial: number
  /** The next of them; its index is its slot at the receiver. */
  at: number
  /** Where they wait. */
  line: WaitingSend[] = []
  /** On the monotonic clock: since when they wait for memory; NaN: for something else. */
  forMemorySinceMs = NaN
  /** Called when they wait no more. */
  onLeft: (() => void) | null = null

  constructor(options: {
    readonly records: readonly AnyRecord[]
    readonly at: number
    readonly end: number
    readonly receiver: Receiver
    readonly deadlineMs: number
    readonly signal: AbortSignal | undefined
    readonly serial: number
  }) {
    this.records = options.records
    this.at = options.at
    this.end = options.end
    this.receiver = options.receiver
    this.deadlineMs = options.deadlineMs
    this.signal = options.signal
    this.serial = options.serial
  }

  /** Resolves when they wait no more here. */
  left(): Promise<void> {
    return new Promise((resolve) => {
      const before = this.onLeft
      this.onLeft = () => {
        before?.()
        resolve()
      }
    })
  }
}
