/** Records that wait for the time to be handled (again). Their lanes wait with them; nothing else does, and they take up no room. */
import type { Clock, Timer } from '@millrace/runtime'
import type { Invocation, PartitionWork } from './partition-work.ts'
import type { Turns } from './turns.ts'

export interface RestingRecordsOptions<K, V> {
  readonly clock: Clock
  /** Where they go when their time has come. */
  readonly turns: Turns<K, V>
  readonly onTurn: () => void
}

export class RestingRecords<K, V> {
  readonly #options: RestingRecordsOptions<K, V>
  readonly #timers = new Map<Invocation<K, V>, Timer>()
  #isClosed = false

  constructor(options: RestingRecordsOptions<K, V>) {
    this.#options = options
  }

  add(invocation: Invocation<K, V>, ms: number): void {
    if (this.#isClosed) return
    const { clock, turns, onTurn } = this.#options
    const timer = clock.after(ms, () => {
      this.#timers.delete(invocation)
      turns.add(invocation)
      onTurn()
    })
    this.#timers.set(invocation, timer)
  }

  /** Those of the partition: they rest no more, and get no turn. */
  take(work: PartitionWork<K, V>): readonly Invocation<K, V>[] {
    const taken: Invocation<K, V>[] = []
    for (const [invocation, timer] of this.#timers) {
      if (invocation.work !== work) continue
      timer.cancel()
      this.#timers.delete(invocation)
      taken.push(invocation)
    }
    return taken
  }

  /** None gets a turn any more. */
  close(): void {
    this.#isClosed = true
    for (const timer of this.#timers.values()) timer.cancel()
    this.#timers.clear()
  }
}
