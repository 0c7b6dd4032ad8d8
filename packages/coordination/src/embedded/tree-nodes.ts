/**
 * The embedded engine's nodes in memory, and drafts of the next transactions on them.
 *
 * Nodes are immutable; a change replaces one. A draft holds what differs from the committed nodes, so that the transactions of a
 * batch can see each other before any of them is durable, while readers see only what is.
 */
import { nameOf, parentOf } from '../paths.ts'
import type { NodeStat } from '../tree.ts'

export interface TreeNode {
  readonly data: Uint8Array
  /** Transaction ids as numbers: the engine counts them one by one from 1. */
  readonly czxid: number
  readonly mzxid: number
  readonly version: number
  /** Rises with each child created or deleted; numbers the sequential children. */
  readonly childrenVersion: number
  readonly childrenCount: number
  readonly createdMs: number
  /** 0: persistent. */
  readonly ephemeralOwner: number
}

export function statOf(node: TreeNode): NodeStat {
  return {
    czxid: BigInt(node.czxid),
    mzxid: BigInt(node.mzxid),
    version: node.version,
    createdMs: node.createdMs,
    ephemeralOwner: BigInt(node.ephemeralOwner),
    childrenCount: node.childrenCount,
  }
}

export function withChildren(parent: TreeNode, added: 1 | -1): TreeNode {
  return {
    ...parent,
    childrenVersion: parent.childrenVersion + 1,
    childrenCount: parent.childrenCount + added,
  }
}

/** The committed nodes. */
export class TreeNodes {
  readonly #nodes = new Map<string, TreeNode>()
  readonly #children = new Map<string, Set<string>>()
  /** Paths by owning session. */
  readonly #ephemerals = new Map<number, Set<string>>()

  get size(): number {
    return this.#nodes.size
  }

  get(path: string): TreeNode | undefined {
    return this.#nodes.get(path)
  }

  childrenOf(path: string): ReadonlySet<string> {
    return this.#children.get(path) ?? NO_PATHS
  }

  ephemeralsOf(sessionId: number): ReadonlySet<string> {
    return this.#ephemerals.get(sessionId) ?? NO_PATHS
  }

  set(path: string, node: TreeNode): void {
    const replaced = this.#nodes.get(path)
    if (replaced === undefined && path !== '/') addTo(this.#children, parentOf(path), nameOf(path))
    if (replaced !== undefined && replaced.ephemeralOwner !== node.ephemeralOwner)
      removeFrom(this.#ephemerals, replaced.ephemeralOwner, path)
    if (node.ephemeralOwner !== 0) addTo(this.#ephemerals, node.ephemeralOwner, path)
    this.#nodes.set(path, node)
  }

  delete(path: string): void {
    const node = this.#nodes.get(path)
    if (node === undefined) return
    this.#nodes.delete(path)
    removeFrom(this.#children, parentOf(path), nameOf(path))
    if (node.ephemeralOwner !== 0) removeFrom(this.#ephemerals, node.ephemeralOwner, path)
  }
}

function addTo<K>(sets: Map<K, Set<string>>, key: K, value: string): void {
  const present = sets.get(key)
  if (present === undefined) sets.set(key, new Set([value]))
  else present.add(value)
}

function removeFrom<K>(sets: Map<K, Set<string>>, key: K, value: string): void {
  const present = sets.get(key)
  present?.delete(value)
  if (present?.size === 0) sets.delete(key)
}

const NO_PATHS: ReadonlySet<string> = new Set()

/** Changes on top of committed nodes, or on top of another draft: null is a deleted node. */
export class TreeDraft {
  readonly changes = new Map<string, TreeNode | null>()
  readonly #base: TreeNodes | TreeDraft

  constructor(base: TreeNodes | TreeDraft) {
    this.#base = base
  }

  get(path: string): TreeNode | undefined {
    const changed = this.changes.get(path)
    return changed === undefined ? this.#base.get(path) : (changed ?? undefined)
  }

  set(path: string, node: TreeNode): void {
    this.changes.set(path, node)
  }

  delete(path: string): void {
    this.changes.set(path, null)
  }

  /** Paths of the session's ephemeral nodes. */
  ephemeralsOf(sessionId: number): ReadonlySet<string> {
    const paths = new Set(this.#base.ephemeralsOf(sessionId))
    for (const [path, node] of this.changes) {
      if (node?.ephemeralOwner === sessionId) paths.add(path)
      else paths.delete(path)
    }
    return paths
  }

  /** Takes over the changes of a draft made on top of this one. */
  absorb(draft: TreeDraft): void {
    for (const [path, node] of draft.changes) this.changes.set(path, node)
  }

  applyTo(nodes: TreeNodes): void {
    for (const [path, node] of this.changes) {
      if (node === null) nodes.delete(path)
      else nodes.set(path, node)
    }
  }
}
