/**
 * Which partitions have an owner, and at which member epoch: nobody else is given a partition before its owner has let go of it. A partition
 * counts as owned while the owner has yet to give it up.
 */
import type { ConsumerMember } from './consumer-member.ts'
import type { OwnedPartitions } from './owned-partitions.ts'

export class PartitionEpochs {
  readonly #epochs = new Map<string, Map<number, number>>()

  isOwned(topicId: string, partition: number): boolean {
    return this.#epochs.get(topicId)?.has(partition) ?? false
  }

  replace(before: ConsumerMember | null, after: ConsumerMember | null): void {
    if (before !== null) {
      this.#remove(before.assigned, before.epoch)
      this.#remove(before.pendingRevocation, before.epoch)
    }
    if (after !== null) {
      this.#add(after.assigned, after.epoch)
      this.#add(after.pendingRevocation, after.epoch)
    }
  }

  #remove(owned: OwnedPartitions, epoch: number): void {
    for (const [topicId, partitions] of owned) {
      const epochs = this.#epochs.get(topicId)
      if (epochs === undefined) continue
      for (const partition of partitions.keys()) if (epochs.get(partition) === epoch) epochs.delete(partition)
      if (epochs.size === 0) this.#epochs.delete(topicId)
    }
  }

  #add(owned: OwnedPartitions, epoch: number): void {
    for (const [topicId, partitions] of owned) {
      let epochs = this.#epochs.get(topicId)
      if (epochs === undefined) this.#epochs.set(topicId, (epochs = new Map()))
      for (const partition of partitions.keys()) {
        const present = epochs.get(partition)
        if (present !== undefined && present >= epoch)
          throw new Error(`${topicId}-${partition} is owned at epoch ${present}, so it cannot be at ${epoch}`)
        epochs.set(partition, epoch)
      }
    }
  }
}
