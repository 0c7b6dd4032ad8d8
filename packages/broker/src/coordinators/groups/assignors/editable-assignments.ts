/** Assignments that an assignor starts from and changes, copying only those it does change. */
import { noPartitions, type Assignment } from './assignor.ts'

export class EditableAssignments {
  readonly #assignments = new Map<string, Assignment>()
  readonly #copies = new Map<string, Map<string, Set<number>>>()

  get result(): Map<string, Assignment> {
    return this.#assignments
  }

  start(memberId: string, assignment: Assignment): void {
    this.#assignments.set(memberId, assignment)
  }

  add(memberId: string, topicId: string, partition: number): void {
    const assignment = this.#copy(memberId)
    const partitions = assignment.get(topicId)
    if (partitions === undefined) assignment.set(topicId, new Set([partition]))
    else partitions.add(partition)
  }

  remove(memberId: string, topicId: string, partition: number): void {
    const assignment = this.#copy(memberId)
    const partitions = assignment.get(topicId)
    partitions?.delete(partition)
    if (partitions?.size === 0) assignment.delete(topicId)
  }

  removeTopic(memberId: string, topicId: string): void {
    this.#copy(memberId).delete(topicId)
  }

  #copy(memberId: string): Map<string, Set<number>> {
    let copy = this.#copies.get(memberId)
    if (copy === undefined) {
      copy = new Map()
      for (const [topicId, partitions] of this.#assignments.get(memberId) ?? noPartitions)
        copy.set(topicId, new Set(partitions))
      this.#copies.set(memberId, copy)
      this.#assignments.set(memberId, copy)
    }
    return copy
  }
}
