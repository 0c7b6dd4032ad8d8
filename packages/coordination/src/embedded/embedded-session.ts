/** A session of the embedded engine. */
import type { Clock } from '@millrace/runtime'
import { CoordinationError } from '../coordination-error.ts'
import { validatePath } from '../paths.ts'
import { deleteNode } from '../tree.ts'
import type {
  CoordinationSession,
  NodeStat,
  NodeValue,
  Operation,
  OperationResult,
  SessionState,
  Watcher,
} from '../tree.ts'
import { validateOperations } from './apply-operations.ts'
import type { CommitQueue } from './commit-queue.ts'
import { statOf } from './tree-nodes.ts'
import type { TreeNodes } from './tree-nodes.ts'
import type { Watches } from './watches.ts'

export interface SessionParts {
  readonly id: number
  readonly clock: Clock
  readonly nodes: TreeNodes
  readonly queue: CommitQueue
  readonly watches: Watches
  readonly onEnd: (session: EmbeddedSession) => void
}

/** How long to wait before trying again to remove the ephemeral nodes of an ended session when that could not be stored. */
const RETRY_REMOVAL_MS = 1000

/** Rejects the promise of a multi under way; no effect on one that is settled. */
type Abandon = (error: CoordinationError) => void

export class EmbeddedSession implements CoordinationSession {
  readonly id: bigint
  readonly #parts: SessionParts
  readonly #listeners = new Set<(state: SessionState) => void>()
  readonly #underWay = new Set<Abandon>()
  /** Resolves when the session's last write has had its turn, whatever its caller was told. */
  #lastWrite: Promise<void> = Promise.resolve()
  #state: SessionState = 'connected'

  constructor(parts: SessionParts) {
    this.#parts = parts
    this.id = BigInt(parts.id)
  }

  get state(): SessionState {
    return this.#state
  }

  onStateChange(listener: (state: SessionState) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async get(path: string, watcher?: Watcher): Promise<NodeValue> {
    await this.#readable(path)
    const { nodes, watches, id } = this.#parts
    const node = nodes.get(path)
    if (node === undefined) throw new CoordinationError('no-node', `${path} does not exist`, { path })
    if (watcher !== undefined) watches.addOnNode(path, id, watcher)
    return { data: node.data, stat: statOf(node) }
  }

  async exists(path: string, watcher?: Watcher): Promise<NodeStat | null> {
    await this.#readable(path)
    const { nodes, watches, id } = this.#parts
    if (watcher !== undefined) watches.addOnNode(path, id, watcher)
    const node = nodes.get(path)
    return node === undefined ? null : statOf(node)
  }

  async children(path: string, watcher?: Watcher): Promise<string[]> {
    await this.#readable(path)
    const { nodes, watches, id } = this.#parts
    if (nodes.get(path) === undefined) throw new CoordinationError('no-node', `${path} does not exist`, { path })
    if (watcher !== undefined) watches.addOnChildren(path, id, watcher)
    return [...nodes.childrenOf(path)]
  }

  multi(operations: readonly Operation[]): Promise<OperationResult[]> {
    const { queue, id } = this.#parts
    return new Promise<OperationResult[]>((resolve, reject) => {
      this.#assertUsable()
      validateOperations(operations)
      const turn = Promise.withResolvers<void>()
      this.#lastWrite = turn.promise
      this.#underWay.add(reject)
      queue.submit({
        sessionId: id,
        operations: () => {
          // Between submission and its turn the session may have ended, and with it the right to make ephemeral nodes.
          if (this.#state === 'expired' || this.#state === 'closed') throw this.#ended()
          return operations
        },
        done: (error, results) => {
          this.#underWay.delete(reject)
          turn.resolve()
          if (error === null) resolve(results)
          else reject(error)
        },
      })
    })
  }

  /** As when the ensemble cannot be reached: what is under way fails with `connection-loss` and happens nevertheless. For tests. */
  disconnect(): void {
    if (this.#state !== 'connected') return
    this.#abandon(new CoordinationError('connection-loss', 'the coordination tree cannot be reached'))
    this.#become('disconnected')
  }

  /** Ends what `disconnect` began. For tests. */
  reconnect(): void {
    if (this.#state === 'disconnected') this.#become('connected')
  }

  /** As when the engine has not heard from the session for too long. For tests. */
  expire(): void {
    this.#end('expired')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end('closed')
    await this.#parts.queue.idle()
  }

  #end(state: 'expired' | 'closed'): void {
    if (this.#state === 'expired' || this.#state === 'closed') return
    const { watches, id, onEnd } = this.#parts
    this.#become(state)
    this.#abandon(this.#ended())
    watches.dropSession(id)
    onEnd(this)
    this.#removeEphemerals()
  }

  #removeEphemerals(): void {
    const { queue, clock, id } = this.#parts
    queue.submit({
      sessionId: id,
      // Which there are is known only when the session's own writes before this have had their turn.
      operations: (draft) => [...draft.ephemeralsOf(id)].map((path) => deleteNode(path)),
      done: (error) => {
        if (error !== null) clock.after(RETRY_REMOVAL_MS, () => this.#removeEphemerals())
      },
    })
  }

  #become(state: SessionState): void {
    this.#state = state
    for (const listener of this.#listeners) queueMicrotask(() => listener(state))
  }

  #abandon(error: CoordinationError): void {
    const underWay = [...this.#underWay]
    this.#underWay.clear()
    for (const reject of underWay) reject(error)
  }

  async #readable(path: string): Promise<void> {
    validatePath(path)
    this.#assertUsable()
    await this.#lastWrite
    this.#assertUsable()
  }

  #assertUsable(): void {
    if (this.#state === 'disconnected')
      throw new CoordinationError('connection-loss', 'the coordination tree cannot be reached')
    if (this.#state !== 'connected') throw this.#ended()
  }

  #ended(): CoordinationError {
    return this.#state === 'expired'
      ? new CoordinationError('session-expired', `session ${this.id} has expired`)
      : new CoordinationError('closed', `session ${this.id} is closed`)
  }
}
