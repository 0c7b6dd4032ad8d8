/**
 * Turns of brokers that are fetched from: one at a time, so that no more is acquired than was asked for. Who has had its turn goes to the end; who
 * wants nothing is passed over.
 */
export interface TurnTaker {
  readonly wantsAny: boolean
  wake(): void
}

export class FetchTurns {
  /** The next one first. */
  #line: TurnTaker[] = []
  #current: TurnTaker | null = null

  join(taker: TurnTaker): void {
    this.#line.push(taker)
  }

  leave(taker: TurnTaker): void {
    this.#line = this.#line.filter((one) => one !== taker)
    if (this.#current === taker) this.end(taker)
  }

  /** Whether it is the taker's turn, which lasts until `end`. Who has to wait is woken when it may be. */
  begin(taker: TurnTaker): boolean {
    // A turn is only ever that of one who takes it: the first in line may be busy, and want nothing by the time it is not.
    if (this.#current === null && this.#line.find(({ wantsAny }) => wantsAny) === taker) this.#current = taker
    return this.#current === taker
  }

  end(taker: TurnTaker): void {
    if (this.#current !== taker) return
    this.#current = null
    if (this.#line.includes(taker)) this.#line = [...this.#line.filter((one) => one !== taker), taker]
    for (const one of this.#line) if (one !== taker) one.wake()
  }
}
