/** Directories as a crash would leave them: entries whose directory was synced, and of the rest whatever the seed decides. */

import { DirectoryNode } from '../memory/file-tree.ts'
import type { TreeNode } from '../memory/file-tree.ts'
import type { SeededRandom } from './seeded-random.ts'

interface EntryChange {
  readonly directory: DirectoryNode
  readonly name: string
  readonly node: TreeNode | null
}

export class UnsyncedEntries {
  /** Each operation's changes: they survive together or not at all. Oldest first. */
  #operations: EntryChange[][] = []
  readonly #synced = new Map<DirectoryNode, Map<string, TreeNode>>()

  /** The changes that follow belong to a new operation. */
  beginOperation(): void {
    if (this.#operations.at(-1)?.length !== 0) this.#operations.push([])
  }

  add(directory: DirectoryNode, name: string, node: TreeNode | null): void {
    this.#operations.at(-1)!.push({ directory, name, node })
  }

  /** What happened in `directory` is durable, with what it builds on elsewhere: a rename from another directory, say. */
  sync(directory: DirectoryNode): void {
    const directories = new Set([directory])
    const durable = new Set<EntryChange[]>()
    for (const operation of this.#operations.toReversed()) {
      if (!operation.some((change) => directories.has(change.directory))) continue
      for (const change of operation) directories.add(change.directory)
      durable.add(operation)
    }
    for (const operation of this.#operations) if (durable.has(operation)) this.#apply(operation)
    this.#operations = this.#operations.filter((operation) => !durable.has(operation))
  }

  /** Sets everything from `root` down to what a crash leaves: the first operations of those not synced, or none. */
  crash(root: DirectoryNode, keep: 'random' | 'nothing', random: SeededRandom): void {
    const survivors = keep === 'random' ? random.integer(this.#operations.length + 1) : 0
    for (const operation of this.#operations.slice(0, survivors)) this.#apply(operation)
    this.#operations = []
    this.#restore(root)
  }

  #apply(operation: readonly EntryChange[]): void {
    for (const { directory, name, node } of operation) {
      const entries = this.#syncedOf(directory)
      if (node === null) entries.delete(name)
      else entries.set(name, node)
    }
  }

  #restore(directory: DirectoryNode): void {
    directory.entries.clear()
    for (const [name, node] of this.#syncedOf(directory)) {
      directory.entries.set(name, node)
      if (node instanceof DirectoryNode) this.#restore(node)
    }
  }

  #syncedOf(directory: DirectoryNode): Map<string, TreeNode> {
    let entries = this.#synced.get(directory)
    if (entries === undefined) this.#synced.set(directory, (entries = new Map()))
    return entries
  }
}
