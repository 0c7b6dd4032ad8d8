import type { NodeStore } from '../embedded/node-store.ts'
import type { TreeNode } from '../embedded/tree-nodes.ts'

/**
 * A store in memory that can crash and be opened again, and fail. Each commit takes until `finishCommit`, or a turn of its own when
 * `isAutomatic`.
 */
export class CrashingStore implements NodeStore {
  #zxid: number
  readonly #nodes: Map<string, TreeNode>
  /** Commits finish by themselves. */
  isAutomatic = true
  /** The next commit fails with this, once. */
  failure: Error | null = null
  commits = 0
  #isDead = false
  #underWay: { readonly apply: () => void; readonly done: PromiseWithResolvers<void> } | null = null

  constructor(zxid = 0, nodes: ReadonlyMap<string, TreeNode> = new Map()) {
    this.#zxid = zxid
    this.#nodes = new Map(nodes)
  }

  load(): { zxid: number; nodes: Iterable<[string, TreeNode]> } {
    // Children are counted anew by whoever loads.
    return { zxid: this.#zxid, nodes: [...this.#nodes].map(([path, node]) => [path, { ...node, childrenCount: 0 }]) }
  }

  commit(zxid: number, changes: ReadonlyMap<string, TreeNode | null>): Promise<void> {
    this.commits++
    if (this.#underWay !== null) throw new Error('a commit began before the last one ended')
    const done = Promise.withResolvers<void>()
    const { failure } = this
    if (failure !== null) {
      this.failure = null
      return Promise.reject(failure)
    }
    const apply = (): void => {
      this.#zxid = zxid
      for (const [path, node] of changes) {
        if (node === null) this.#nodes.delete(path)
        else this.#nodes.set(path, node)
      }
    }
    this.#underWay = { apply, done }
    if (this.isAutomatic) setImmediate(() => this.finishCommit())
    return done.promise
  }

  /** Ends the commit under way, if any, well. */
  finishCommit(): void {
    const underWay = this.#underWay
    if (underWay === null || this.#isDead) return
    this.#underWay = null
    underWay.apply()
    underWay.done.resolve()
  }

  /** The process dies: nothing of this store is heard of again. Returns what the next process finds; the commit under way happened or not. */
  crash(commitHappens: boolean): CrashingStore {
    if (commitHappens) this.#underWay?.apply()
    this.#isDead = true
    return new CrashingStore(this.#zxid, this.#nodes)
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}
