/**
 * How much index all logs together keep in memory. The least recently used indexes are dropped and read again when needed;
 * an index that is being appended to is used all the time and stays.
 */

export interface EvictableIndex {
  /** Bytes it holds in memory now. */
  readonly residentBytes: number
  /** Gives the memory back. Must leave `residentBytes` at 0. */
  evict(): void
}

const defaultBudgetBytes = 64 * 1024 * 1024

/** Invariant: `#residentBytes` is the sum over `#used`, whose order is from the least to the most recently used. */
export class IndexBudget {
  readonly budgetBytes: number
  readonly #used = new Map<EvictableIndex, number>()
  #newest: EvictableIndex | null = null
  #residentBytes = 0

  constructor(budgetBytes: number = defaultBudgetBytes) {
    this.budgetBytes = budgetBytes
  }

  get residentBytes(): number {
    return this.#residentBytes
  }

  /** `index` is in use, and its size may have changed; others may be evicted for it. */
  touch(index: EvictableIndex): void {
    const before = this.#used.get(index) ?? 0
    if (this.#newest === index && before === index.residentBytes) return
    this.#used.delete(index)
    this.#used.set(index, index.residentBytes)
    this.#newest = index
    this.#residentBytes += index.residentBytes - before
    if (this.#residentBytes > this.budgetBytes) this.#makeRoom(index)
  }

  /** `index` is gone, or holds nothing any more. */
  forget(index: EvictableIndex): void {
    this.#residentBytes -= this.#used.get(index) ?? 0
    this.#used.delete(index)
    if (this.#newest === index) this.#newest = null
  }

  #makeRoom(keep: EvictableIndex): void {
    for (const index of this.#used.keys()) {
      if (this.#residentBytes <= this.budgetBytes) return
      if (index === keep) continue
      this.forget(index)
      index.evict()
    }
  }
}
