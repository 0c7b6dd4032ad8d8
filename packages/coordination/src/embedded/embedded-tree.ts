/**
 * The coordination tree inside this process: for a single broker, and for clusters whose brokers share one process. The whole tree is
 * in memory; with a path every commit is also durable in an LMDB file before it is acknowledged.
 *
 * Its sessions live exactly as long as this process at most, so ephemeral nodes found when it opens are leftovers of a crash.
 */
import type { Clock, Disk } from '@millrace/runtime'
import type { CoordinationTree } from '../tree.ts'
import { CommitQueue } from './commit-queue.ts'
import { EmbeddedSession } from './embedded-session.ts'
import { checkLmdbFile } from './lmdb-file-check.ts'
import { forgetfulStore } from './node-store.ts'
import type { NodeStore } from './node-store.ts'
import { TreeNodes, withChildren } from './tree-nodes.ts'
import type { TreeNode } from './tree-nodes.ts'
import { parentOf } from '../paths.ts'
import { Watches } from './watches.ts'
import { CoordinationError } from '../coordination-error.ts'

export interface EmbeddedTreeOptions {
  readonly clock: Clock
  /** LMDB file, created when absent; its directory must exist, and nobody else may have it open. Without it nothing outlives the tree. */
  readonly path?: string
  /** Looks at the file before LMDB does, which dies of a damaged one. */
  readonly disk?: Disk
  /** Where to keep the nodes instead of a file: for tests and simulations. */
  readonly store?: NodeStore
  /** So many operations at most are made durable by one sync, a multi being always whole. Default 20,000; 1 stores each multi by itself. */
  readonly maxBatchOperations?: number
}

/** Bounds the time the event loop is held by a batch. */
const MAX_BATCH_OPERATIONS = 20_000

export class EmbeddedTree implements CoordinationTree {
  readonly #clock: Clock
  readonly #queue: CommitQueue
  readonly #nodes: TreeNodes
  readonly #store: NodeStore
  readonly #watches = new Watches()
  readonly #sessions = new Set<EmbeddedSession>()
  #lastSessionId = 0
  #isClosed = false

  /** @throws Error when the file cannot be opened or does not hold a tree. */
  static async open(options: EmbeddedTreeOptions): Promise<EmbeddedTree> {
    return new EmbeddedTree(options, options.store ?? (await openStore(options)))
  }

  private constructor({ clock, maxBatchOperations = MAX_BATCH_OPERATIONS }: EmbeddedTreeOptions, store: NodeStore) {
    const { nodes, zxid, unsaved } = loadNodes(store, clock.now())
    this.#clock = clock
    this.#nodes = nodes
    this.#store = store
    this.#queue = new CommitQueue({
      clock,
      maxBatchOperations,
      nodes,
      store,
      zxid,
      unsaved,
      onEvent: (event) => this.#watches.fire(event),
    })
  }

  /** Number of nodes, the root included. */
  get size(): number {
    return this.#nodes.size
  }

  connect(): Promise<EmbeddedSession> {
    if (this.#isClosed) return Promise.reject(new CoordinationError('closed', 'the coordination tree is closed'))
    const session = new EmbeddedSession({
      id: ++this.#lastSessionId,
      clock: this.#clock,
      nodes: this.#nodes,
      queue: this.#queue,
      watches: this.#watches,
      onEnd: (ended) => this.#sessions.delete(ended),
    })
    this.#sessions.add(session)
    return Promise.resolve(session)
  }

  /** Closes the sessions still open, waits for what is under way and releases the file. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    await Promise.all([...this.#sessions].map((session) => session[Symbol.asyncDispose]()))
    await this.#queue.idle()
    await this.#store.close()
  }
}

async function openStore({ path, disk }: EmbeddedTreeOptions): Promise<NodeStore> {
  if (path === undefined) return forgetfulStore
  if (disk !== undefined) checkLmdbFile(disk, path)
  const { openLmdbStore } = await import('./lmdb-store.ts')
  return openLmdbStore(path)
}

interface Loaded {
  readonly nodes: TreeNodes
  readonly zxid: number
  /** What differs from the store. */
  readonly unsaved: Map<string, TreeNode | null>
}

/** Reads the tree, adds the root when it is new, and leaves out the ephemeral nodes of sessions that died with an earlier process. */
function loadNodes(store: NodeStore, nowMs: number): Loaded {
  const nodes = new TreeNodes()
  const unsaved = new Map<string, TreeNode | null>()
  const childrenCounts = new Map<string, number>()
  const orphans: string[] = []
  const { zxid, nodes: stored } = store.load()
  for (const [path, node] of stored) {
    nodes.set(path, node)
    if (node.ephemeralOwner !== 0) orphans.push(path)
    if (path !== '/') childrenCounts.set(parentOf(path), (childrenCounts.get(parentOf(path)) ?? 0) + 1)
  }
  for (const [path, childrenCount] of childrenCounts) {
    const node = nodes.get(path)
    if (node === undefined)
      throw new Error(`coordination tree: ${path} has ${childrenCount} children but no entry of its own`)
    nodes.set(path, { ...node, childrenCount })
  }
  if (nodes.get('/') === undefined) {
    const root: TreeNode = {
      data: new Uint8Array(0),
      czxid: 0,
      mzxid: 0,
      version: 0,
      childrenVersion: 0,
      childrenCount: 0,
      createdMs: nowMs,
      ephemeralOwner: 0,
    }
    nodes.set('/', root)
    unsaved.set('/', root)
  }
  for (const path of orphans) {
    nodes.delete(path)
    unsaved.set(path, null)
    const parent = nodes.get(parentOf(path))
    if (parent === undefined) continue
    const changed = withChildren(parent, -1)
    nodes.set(parentOf(path), changed)
    unsaved.set(parentOf(path), changed)
  }
  return { nodes, zxid, unsaved }
}
