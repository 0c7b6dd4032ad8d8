import type { TreeNode } from './tree-nodes.ts'

/** Where the embedded engine keeps its nodes across restarts. */
export interface NodeStore {
  /** Every node, in any order, and the last transaction's id (0 for a new store). */
  load(): { readonly zxid: number; readonly nodes: Iterable<[path: string, node: TreeNode]> }
  /** Makes all of the changes (null: deleted) and the id durable in one step, or none of them. One call at a time. */
  commit(zxid: number, changes: ReadonlyMap<string, TreeNode | null>): Promise<void>
  close(): Promise<void>
}

/** Keeps nothing. */
export const forgetfulStore: NodeStore = {
  load: () => ({ zxid: 0, nodes: [] }),
  commit: () => Promise.resolve(),
  close: () => Promise.resolve(),
}
