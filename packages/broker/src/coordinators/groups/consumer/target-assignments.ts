/** The target assignment of a group: which member is to own which partitions at `epoch`, and the same the other way round. */
import { noPartitions, type Assignment } from '../assignors/assignor.ts'

export class TargetAssignments {
  /** The group epoch it was made for. */
  epoch = 1
  /** When it was made, in milliseconds since 1970; 0 when that is not known. */
  timestampMs = 0
  readonly #byMember = new Map<string, Assignment>()
  readonly #owners = new Map<string, Map<number, string>>()

  get size(): number {
    return this.#byMember.size
  }

  has(memberId: string): boolean {
    return this.#byMember.has(memberId)
  }

  of(memberId: string): Assignment {
    return this.#byMember.get(memberId) ?? noPartitions
  }

  isAssigned(topicId: string, partition: number): boolean {
    return this.#owners.get(topicId)?.has(partition) ?? false
  }

  set(memberId: string, assignment: Assignment): void {
    this.#disown(memberId)
    this.#byMember.set(memberId, assignment)
    for (const [topicId, partitions] of assignment) {
      let owners = this.#owners.get(topicId)
      if (owners === undefined) this.#owners.set(topicId, (owners = new Map()))
      for (const partition of partitions) owners.set(partition, memberId)
    }
  }

  delete(memberId: string): void {
    this.#disown(memberId)
    this.#byMember.delete(memberId)
  }

  /** The record of the new owner may come before that of the old one: then the partition is not the old one's any more. */
  #disown(memberId: string): void {
    for (const [topicId, partitions] of this.of(memberId)) {
      const owners = this.#owners.get(topicId)
      if (owners === undefined) continue
      for (const partition of partitions) if (owners.get(partition) === memberId) owners.delete(partition)
      if (owners.size === 0) this.#owners.delete(topicId)
    }
  }
}
