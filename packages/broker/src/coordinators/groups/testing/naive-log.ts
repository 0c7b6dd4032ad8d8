/** What was written, how much of it is committed, and what each request has to wait for before its answer is told. */
export class NaiveLog<R> {
  refuses = false
  holds = false
  records: R[] = []
  committed = 0
  readonly #answers = new Map<number, string>()
  /** How much must be committed before a request may be answered. */
  readonly #needed = new Map<number, number>()
  #waiting: ((ok: boolean) => void)[] = []
  #onBehalfOf: number | null = null

  /** A request has been decided: what it saw must be committed first. */
  decided(request: number): void {
    if (!this.#needed.has(request)) this.#needed.set(request, this.records.length)
  }

  answer(request: number, text: string): void {
    if (!this.#answers.has(request)) this.#answers.set(request, text)
  }

  /** Told at once. */
  refuse(request: number, text: string): void {
    this.#answers.set(request, text)
    this.#needed.set(request, 0)
  }

  /** What is written meanwhile is written for the request. */
  onBehalfOf(request: number, act: () => void): void {
    this.#onBehalfOf = request
    act()
    this.#onBehalfOf = null
  }

  /** `settled` is told when it is committed, or that it never will be; `apply` is called when it is in the log. */
  write(request: number | null, record: R, settled: (ok: boolean) => void, apply: () => void = () => {}): void {
    const forRequest = request ?? this.#onBehalfOf
    if (this.refuses) {
      settled(false)
      if (forRequest !== null) this.refuse(forRequest, 'COORDINATOR_NOT_AVAILABLE')
      return
    }
    this.records.push(record)
    if (forRequest !== null) this.#needed.set(forRequest, this.records.length)
    apply()
    this.#waiting.push(settled)
    if (!this.holds) this.commit()
  }

  commit(): void {
    this.committed = this.records.length
    const waiting = this.#waiting
    this.#waiting = []
    for (const settle of waiting) settle(true)
  }

  /** What is not committed is lost, and nobody is told of it. */
  lose(): void {
    this.records.length = this.committed
    this.#waiting = []
    for (const [request, needed] of this.#needed)
      if (!this.#answers.has(request) || needed > this.committed) this.refuse(request, 'NOT_COORDINATOR')
  }

  /** What a request has been told; undefined while it waits. */
  told(request: number): string | undefined {
    return (this.#needed.get(request) ?? 0) <= this.committed ? this.#answers.get(request) : undefined
  }
}
