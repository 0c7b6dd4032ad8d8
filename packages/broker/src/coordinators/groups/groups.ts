/** The groups of one shard, by id. */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { Group, GroupType } from './group.ts'

export class Groups {
  readonly #byId = new Map<string, Group>()

  get size(): number {
    return this.#byId.size
  }

  get(id: string): Group | undefined {
    return this.#byId.get(id)
  }

  has(id: string): boolean {
    return this.#byId.has(id)
  }

  /** @throws KafkaError GROUP_ID_NOT_FOUND. */
  find(id: string): Group {
    const group = this.#byId.get(id)
    if (group === undefined) throw new KafkaError(ErrorCode.GROUP_ID_NOT_FOUND, `Group ${id} not found.`)
    return group
  }

  /** @throws KafkaError GROUP_ID_NOT_FOUND, also for a group of another type. */
  findOfType<G extends Group>(id: string, type: G['type'] & GroupType): G {
    const group = this.find(id)
    if (group.type !== type) throw new KafkaError(ErrorCode.GROUP_ID_NOT_FOUND, `Group ${id} is not a ${type} group.`)
    return group as G
  }

  /** In place of a group of the same id. */
  put(group: Group): void {
    const replaced = this.#byId.get(group.id)
    this.#byId.set(group.id, group)
    if (replaced !== undefined && replaced !== group) replaced.removed?.()
  }

  remove(id: string): void {
    const group = this.#byId.get(id)
    if (group === undefined) return
    this.#byId.delete(id)
    group.removed?.()
  }

  [Symbol.iterator](): IterableIterator<Group> {
    return this.#byId.values()
  }
}
