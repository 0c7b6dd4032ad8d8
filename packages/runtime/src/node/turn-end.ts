/**
 * Callbacks for the end of a turn of the event loop: one `setImmediate` for all of them.
 *
 * The end of a turn goes in rounds. What the callbacks of one round lead to, by way of promises too, may ask for the end of the turn
 * again: a flushed log resolves handlers, whose answers want to be written together. Those run in a further round of the same
 * turn, after the microtasks, not after another wait for the network.
 */

/** After so many rounds the network gets its chance, whoever still asks. */
const MAX_ROUNDS = 16

/** A microtask by way of a promise costs a fraction of one by `queueMicrotask`, which makes an asynchronous resource each time. */
const resolved = Promise.resolve()

export class TurnEnd {
  #callbacks: (() => void)[] = []
  /** Kept to be filled again. */
  #spare: (() => void)[] = []
  #rounds = 0
  /** An immediate or a further round is under way, which will see what is added. */
  #scheduled = false

  add(callback: () => void): void {
    this.#callbacks.push(callback)
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(this.#firstRound)
  }

  readonly #firstRound = (): void => {
    this.#rounds = 0
    this.#round()
  }

  readonly #round = (): void => {
    const callbacks = this.#callbacks
    this.#callbacks = this.#spare
    this.#rounds++
    let done = 0
    try {
      while (done < callbacks.length) callbacks[done++]!()
    } finally {
      // After a callback that threw, the others come first in the next round.
      if (done < callbacks.length) this.#callbacks = [...callbacks.slice(done), ...this.#callbacks]
      callbacks.length = 0
      this.#spare = callbacks
      // A tick asked for by a microtask runs when all microtasks have run.
      void resolved.then(this.#askForTick)
    }
  }

  readonly #askForTick = (): void => {
    process.nextTick(this.#afterMicrotasks)
  }

  readonly #afterMicrotasks = (): void => {
    if (this.#callbacks.length === 0) this.#scheduled = false
    else if (this.#rounds < MAX_ROUNDS) this.#round()
    else setImmediate(this.#firstRound)
  }
}
