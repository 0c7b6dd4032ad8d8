/** Timers by key, and the time: a list that is searched for the next one. */
export class NaiveTimers {
  nowMs = 0
  #order = 0
  #timers: { readonly key: string; readonly atMs: number; readonly order: number; readonly run: () => void }[] = []

  set(key: string, delayMs: number, run: () => void): void {
    this.clear(key)
    this.#timers.push({ key, atMs: this.nowMs + Math.max(0, delayMs), order: this.#order++, run })
  }

  clear(key: string): void {
    this.#timers = this.#timers.filter((timer) => timer.key !== key)
  }

  clearAll(): void {
    this.#timers = []
  }

  advance(ms: number): void {
    const endMs = this.nowMs + ms
    for (;;) {
      const due = this.#timers.filter(({ atMs }) => atMs <= endMs)
      const next = due.toSorted((a, b) => a.atMs - b.atMs || a.order - b.order)[0]
      if (next === undefined) break
      this.nowMs = Math.max(this.nowMs, next.atMs)
      this.clear(next.key)
      next.run()
    }
    this.nowMs = endMs
  }
}
