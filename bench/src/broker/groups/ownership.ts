// Which member of a group owns which partitions, as the members were told; and waiting until that is settled.
import type { TopicGrid } from './topic-grid.ts'

interface Holding {
  readonly generation: number
  readonly partitions: ReadonlySet<string>
}

/**
 * Settled: every member has its even share in one generation, and together they own every partition once. Members of KIP-848
 * groups, whose epochs follow one by one, all give generation 0.
 */
export class Ownership {
  readonly #grid: TopicGrid
  readonly #holdings = new Map<string, Holding>()
  #members = 0
  #settled: { resolve: (atMs: number) => void; timer: NodeJS.Timeout } | null = null

  constructor(grid: TopicGrid) {
    this.#grid = grid
  }

  hold(member: string, generation: number, partitions: ReadonlySet<string>): void {
    this.#holdings.set(member, { generation, partitions })
    this.#look()
  }

  release(member: string): void {
    this.#holdings.delete(member)
    this.#look()
  }

  /** Resolves with the time at which it is settled among so many members. @throws Error when that takes longer than `timeoutMs`. */
  settledAmong(members: number, timeoutMs = 120_000): Promise<number> {
    this.#members = members
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`not settled in ${timeoutMs} ms: ${this.#describe()}`)),
        timeoutMs,
      )
      this.#settled = { resolve, timer }
      this.#look()
    })
  }

  #look(): void {
    if (this.#settled === null || !this.#isSettled()) return
    clearTimeout(this.#settled.timer)
    this.#settled.resolve(performance.now())
    this.#settled = null
  }

  #isSettled(): boolean {
    const holdings = [...this.#holdings.values()]
    const { count } = this.#grid
    if (holdings.length !== this.#members) return false
    const leastShare = Math.floor(count / this.#members)
    const sizes = holdings.map(({ partitions }) => partitions.size)
    if (sizes.some((size) => size < leastShare || size > leastShare + 1)) return false
    if (new Set(holdings.map(({ generation }) => generation)).size !== 1) return false
    // With the sizes' sum, no partition can be owned twice unless another is owned by nobody.
    return sizes.reduce((sum, size) => sum + size, 0) === count && this.#owned().size === count
  }

  #owned(): Set<string> {
    return new Set([...this.#holdings.values()].flatMap(({ partitions }) => [...partitions]))
  }

  #describe(): string {
    const generations = [...new Set([...this.#holdings.values()].map(({ generation }) => generation))]
    const sizes = [...this.#holdings.values()].map(({ partitions }) => partitions.size)
    return (
      `${this.#holdings.size} of ${this.#members} members own ${this.#owned().size} of ${this.#grid.count} partitions, ` +
      `${Math.min(...sizes)} to ${Math.max(...sizes)} each, in generations ${generations.join(', ')}`
    )
  }
}
