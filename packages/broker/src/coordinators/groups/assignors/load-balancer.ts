/**
 * Whom to give a partition and whom to take one from, so that the subscribers of one topic come to have equally many. Each call of
 * `nextLeastLoaded` and `nextMostLoaded` counts on the partition being given or taken.
 *
 * Members are sorted by their load. The least loaded form a range at the front that fills up level by level: when each has got one, the
 * level rises and the range takes in those that were on the new level already. The most loaded form a range at the end in the same way,
 * which those without partitions of the topic are excluded from.
 * Source: MemberAssignmentBalancer in Kafka's UniformHeterogeneousAssignmentBuilder.
 */
export class LoadBalancer {
  /** Partitions by member. */
  readonly #loads: Int32Array
  #sorted: number[] = []

  #leastEnd = 0
  #leastLoad = 0
  #nextLeast = 0

  #mostStart = 0
  /** Behind it are those that are excluded. */
  #mostEnd = 0
  #mostLoad = 0
  #nextMost = 0

  constructor(loads: Int32Array) {
    this.#loads = loads
  }

  /** Starts with the subscribers of a topic, at least one. Returns how far apart their loads are. */
  start(members: readonly number[]): number {
    const loads = this.#loads
    this.#sorted = members.toSorted((one, other) => loads[one]! - loads[other]! || one - other)
    const least = this.#loadAt(0)
    const most = this.#loadAt(this.#sorted.length - 1)
    this.#leastEnd = 0
    this.#leastLoad = least - 1
    this.#nextLeast = 0
    this.#mostStart = this.#sorted.length
    this.#mostEnd = this.#sorted.length
    this.#mostLoad = most + 1
    this.#nextMost = this.#sorted.length - 1
    return most - least
  }

  nextLeastLoaded(): number {
    if (this.#nextLeast >= this.#leastEnd) {
      this.#leastLoad++
      while (this.#leastEnd < this.#sorted.length && this.#loadAt(this.#leastEnd) === this.#leastLoad) this.#leastEnd++
      this.#nextLeast = 0
    }
    return this.#sorted[this.#nextLeast++]!
  }

  /** −1 when nobody is left to take a partition from. */
  nextMostLoaded(): number {
    if (this.#nextMost < this.#mostStart) {
      // After exclusions the range may be empty; then it has to take in the next level, wherever that is.
      if (this.#mostEnd <= this.#mostStart && this.#mostStart > 0) this.#mostLoad = this.#loadAt(this.#mostStart - 1)
      else this.#mostLoad--
      while (this.#mostStart > 0 && this.#loadAt(this.#mostStart - 1) === this.#mostLoad) this.#mostStart--
      this.#nextMost = this.#mostEnd - 1
    }
    if (this.#nextMost < 0) return -1
    return this.#sorted[this.#nextMost--]!
  }

  /** The member that `nextMostLoaded` has returned has no partition to give up. */
  excludeMostLoaded(): void {
    const at = this.#nextMost + 1
    const excluded = this.#sorted[at]!
    this.#sorted[at] = this.#sorted[this.#mostEnd - 1]!
    this.#sorted[this.#mostEnd - 1] = excluded
    this.#mostEnd--
  }

  get isBalanced(): boolean {
    return this.#mostLoad - this.#leastLoad <= 1
  }

  #loadAt(index: number): number {
    return this.#loads[this.#sorted[index]!]!
  }
}
