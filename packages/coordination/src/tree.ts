/**
 * The coordination tree: ZooKeeper's data model, as small as the broker can do with, so that every engine can provide it: the
 * embedded one, a ZooKeeper ensemble.
 *
 * A tree of nodes, each with data and children. A client works through a session. An ephemeral node goes with its session. Writes of
 * all sessions are in one order; each gets a transaction id (zxid), and is durable before it is answered. Within a session everything
 * happens in the order of the calls, whether or not the caller awaits: a read sees the session's earlier writes.
 */

export interface NodeStat {
  /** Transaction that created the node. */
  readonly czxid: bigint
  /** Transaction that last set its data. */
  readonly mzxid: bigint
  /** How often the data was set since the creation. */
  readonly version: number
  /** Wall clock at creation, in milliseconds. */
  readonly createdMs: number
  /** Session the node goes with; 0n for a persistent node. */
  readonly ephemeralOwner: bigint
  readonly childrenCount: number
}

export interface NodeValue {
  /** Shared with the engine: not to be written to. */
  readonly data: Uint8Array
  readonly stat: NodeStat
}

/** A sequential node's name gets a suffix of ten digits, higher than that of every sequential node created before it under the parent. */
export type CreateMode = 'persistent' | 'ephemeral' | 'persistent-sequential' | 'ephemeral-sequential'

/** `version`: the data version the node must have; −1 for any. */
export type Operation =
  | { readonly kind: 'create'; readonly path: string; readonly data: Uint8Array; readonly mode: CreateMode }
  | { readonly kind: 'set'; readonly path: string; readonly data: Uint8Array; readonly version: number }
  | { readonly kind: 'delete'; readonly path: string; readonly version: number }
  | { readonly kind: 'check'; readonly path: string; readonly version: number }

export interface OperationResult {
  /** The node's path; for a sequential node with its number. */
  readonly path: string
  /** The node's data version afterwards; −1 for a deleted node and for a check. */
  readonly version: number
}

export interface WatchEvent {
  readonly path: string
  /** `children`: a child was created or deleted. */
  readonly kind: 'created' | 'changed' | 'deleted' | 'children'
}

/**
 * Called once, for the first change after the read it was given to, before the session can read what changed. Not called
 * when the session ends first.
 */
export type Watcher = (event: WatchEvent) => void

/** `disconnected`: the engine does not answer at present; the session lives on until the engine says otherwise. The last two are final. */
export type SessionState = 'connected' | 'disconnected' | 'expired' | 'closed'

/** Every method rejects with a CoordinationError: `connection-loss`, `session-expired`, `closed`, and what is said below. */
export interface CoordinationSession extends AsyncDisposable {
  readonly id: bigint
  readonly state: SessionState
  /** Calls `listener` at every later change of the state. Returns how to stop it. */
  onStateChange(listener: (state: SessionState) => void): () => void

  /** `watcher` hears of a change of the data and of the deletion. @throws `no-node`; the watcher is not kept then. */
  get(path: string, watcher?: Watcher): Promise<NodeValue>

  /** null when there is no such node. `watcher` hears of the creation, a change of the data, the deletion. */
  exists(path: string, watcher?: Watcher): Promise<NodeStat | null>

  /** Names (not paths), in no order. `watcher` hears of a child created or deleted, and of the node's deletion. @throws `no-node`. */
  children(path: string, watcher?: Watcher): Promise<string[]>

  /**
   * Does all the operations, in order, as one transaction, or none. Resolves when durable.
   * At most MAX_MULTI_BYTES of paths and data.
   * @throws `no-node`, `node-exists`, `bad-version`, `not-empty`, `ephemeral-parent`, `too-large`, `bad-arguments`, with the index of
   * the operation refused; `storage-failure`.
   */
  multi(operations: readonly Operation[]): Promise<OperationResult[]>
}

/** What a ZooKeeper server takes in one request by default (`jute.maxbuffer`), less room for its own framing. */
export const MAX_MULTI_BYTES = 1_000_000

export interface ConnectOptions {
  /** How long the engine keeps the session of a client it does not hear from. The embedded engine always hears. */
  readonly sessionTimeoutMs: number
}

export interface CoordinationTree extends AsyncDisposable {
  /** A new session. Its owner disposes it, which deletes its ephemeral nodes at once. */
  connect(options: ConnectOptions): Promise<CoordinationSession>
}

const NO_DATA = new Uint8Array(0)

export function createNode(path: string, data: Uint8Array = NO_DATA, mode: CreateMode = 'persistent'): Operation {
  return { kind: 'create', path, data, mode }
}

export function setNode(path: string, data: Uint8Array, version = -1): Operation {
  return { kind: 'set', path, data, version }
}

export function deleteNode(path: string, version = -1): Operation {
  return { kind: 'delete', path, version }
}

export function checkNode(path: string, version: number): Operation {
  return { kind: 'check', path, version }
}

/** What an operation counts towards MAX_MULTI_BYTES: UTF-16 length of the path, bytes of data, and a flat 32 for framing. */
export function operationBytes(operation: Operation): number {
  const data = operation.kind === 'create' || operation.kind === 'set' ? operation.data.length : 0
  return operation.path.length + data + 32
}
