/** All sends that are not in a batch yet, whatever they wait for: how many, in which order they came, and how they are refused. */
import { setMaxListeners } from 'node:events'
import type { Cluster } from '../../cluster/cluster.ts'
import type { WaitTime } from '../../observe/metrics.ts'
import type { Receiver } from '../batches/acknowledgement.ts'
import { WaitingSend, type AnyRecord } from './waiting-send.ts'

export interface Submission {
  readonly records: readonly AnyRecord[]
  readonly receiver: Receiver
  readonly signal: AbortSignal | undefined
}

/** Since when the records of a submission wait. */
export interface Since {
  /** On the monotonic clock. */
  readonly deadlineMs: number
  readonly serial: number
}

export interface WaitingSendsOptions {
  readonly cluster: Cluster
  readonly maxBlockMs: number
  readonly memoryWait: WaitTime
  readonly refuse: (record: AnyRecord, receiver: Receiver, slot: number, error: Error) => void
}

/** Invariant: what is here stands in one line, its `line`, and the process is held while there is something. */
export class WaitingSends {
  readonly #options: WaitingSendsOptions
  readonly #all = new Set<WaitingSend>()
  #nextSerial = 0
  #hold: Disposable | null = null

  constructor(options: WaitingSendsOptions) {
    this.#options = options
  }

  get count(): number {
    return this.#all.size
  }

  /** For a new submission. */
  since(): Since {
    const { cluster, maxBlockMs } = this.#options
    return { deadlineMs: cluster.world.clock.monotonicMs() + maxBlockMs, serial: this.#nextSerial++ }
  }

  /** Lets the records from `at` to before `end` wait in `line`. */
  join(
    line: WaitingSend[],
    { records, receiver, signal }: Submission,
    at: number,
    end: number,
    { deadlineMs, serial } = this.since(),
  ): WaitingSend {
    const send = new WaitingSend({ records, at, end, receiver, deadlineMs, serial, signal })
    lineUp(line, send)
    this.#all.add(send)
    this.#hold ??= this.#options.cluster.holdProcess()
    if (signal === undefined) return send
    // Many may wait with one signal, which is no leak. Signals that are not Node's own do not count their listeners.
    if (signal instanceof EventTarget) setMaxListeners(0, signal)
    const onAbort = (): void => this.refuse(send, signal.reason as Error)
    signal.addEventListener('abort', onAbort, { once: true })
    send.onLeft = () => signal.removeEventListener('abort', onAbort)
    return send
  }

  /** It waits no more. Taken out of its line already. */
  left(send: WaitingSend): void {
    this.#all.delete(send)
    const { cluster, memoryWait } = this.#options
    if (!Number.isNaN(send.forMemorySinceMs)) memoryWait.add(cluster.world.clock.monotonicMs() - send.forMemorySinceMs)
    if (this.#all.size === 0) {
      this.#hold?.[Symbol.dispose]()
      this.#hold = null
    }
    send.onLeft?.()
  }

  /** Takes it out of its line and fails what is left of its records. */
  refuse(send: WaitingSend, error: Error): void {
    const index = send.line.indexOf(send)
    if (index < 0) return
    send.line.splice(index, 1)
    for (let at = send.at; at < send.end; at++) this.#options.refuse(send.records[at]!, send.receiver, at, error)
    this.left(send)
  }

  refuseAll(error: Error): void {
    const waiting = [...this.#all]
    for (const send of waiting) this.refuse(send, error)
  }

  /** Resolves when all that waits now is batched or refused. */
  async drained(): Promise<void> {
    const later = this.#nextSerial
    for (;;) {
      const waiting = [...this.#all].filter(({ serial }) => serial < later)
      if (waiting.length === 0) return
      await Promise.all(waiting.map((send) => send.left()))
    }
  }
}

/** Puts it before those submitted later, which may have come to this line first. */
export function lineUp(line: WaitingSend[], send: WaitingSend): void {
  let at = line.length
  while (at > 0 && line[at - 1]!.serial > send.serial) at--
  line.splice(at, 0, send)
  send.line = line
}
