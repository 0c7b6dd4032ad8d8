/**
 * Puts transactions in one order and makes them durable in batches: all that arrived while the last batch was being synced, or in one
 * turn of the event loop, share one sync.
 *
 * Invariants: at most one batch is being stored. Nodes change, watchers are called and callers are answered only when the batch is
 * durable, in the order of submission; refusals too, since they may rest on a change of the same batch. When a batch cannot be stored
 * nothing of it has happened, and what waits behind it is failed as well: it was submitted on the assumption that it would.
 */
import type { Clock } from '@millrace/runtime'
import { CoordinationError } from '../coordination-error.ts'
import type { Operation, OperationResult, WatchEvent } from '../tree.ts'
import { applyOperations } from './apply-operations.ts'
import type { NodeStore } from './node-store.ts'
import { TreeDraft } from './tree-nodes.ts'
import type { TreeNode, TreeNodes } from './tree-nodes.ts'

export interface Submission {
  readonly sessionId: number
  /** Asked for when the transaction's turn has come, so that it may depend on those before it. @throws CoordinationError to refuse. */
  operations(draft: TreeDraft): readonly Operation[]
  done(error: CoordinationError | null, results: OperationResult[]): void
}

interface Outcome {
  readonly submission: Submission
  readonly error: CoordinationError | null
  readonly results: OperationResult[]
}

export interface CommitQueueOptions {
  readonly clock: Clock
  readonly nodes: TreeNodes
  readonly store: NodeStore
  /** A batch is closed when it has this many operations. */
  readonly maxBatchOperations: number
  /** Id of the last transaction. */
  readonly zxid: number
  /** What the first batch has to store besides its own changes; in `nodes` already. */
  readonly unsaved: ReadonlyMap<string, TreeNode | null>
  readonly onEvent: (event: WatchEvent) => void
}

export class CommitQueue {
  readonly #clock: Clock
  readonly #nodes: TreeNodes
  readonly #store: NodeStore
  readonly #maxBatchOperations: number
  readonly #onEvent: (event: WatchEvent) => void
  #unsaved: ReadonlyMap<string, TreeNode | null>
  #zxid: number
  #waiting: Submission[] = []
  #state: 'idle' | 'scheduled' | 'storing' = 'idle'
  #whenIdle: (() => void)[] = []

  constructor(options: CommitQueueOptions) {
    this.#clock = options.clock
    this.#nodes = options.nodes
    this.#store = options.store
    this.#maxBatchOperations = options.maxBatchOperations
    this.#zxid = options.zxid
    this.#unsaved = options.unsaved
    this.#onEvent = options.onEvent
  }

  submit(submission: Submission): void {
    this.#waiting.push(submission)
    if (this.#state === 'idle') this.#schedule()
  }

  /** Resolves when nothing is waiting or being stored. */
  idle(): Promise<void> {
    if (this.#state === 'idle') return Promise.resolve()
    return new Promise((resolve) => this.#whenIdle.push(resolve))
  }

  #schedule(): void {
    this.#state = 'scheduled'
    this.#clock.endOfTurn(() => void this.#commitBatch())
  }

  async #commitBatch(): Promise<void> {
    this.#state = 'storing'
    const draft = new TreeDraft(this.#nodes)
    const events: WatchEvent[] = []
    const outcomes: Outcome[] = []
    const zxid = this.#prepare(draft, events, outcomes)
    const failure = await this.#persist(zxid, draft)
    if (failure === null) {
      this.#zxid = zxid
      draft.applyTo(this.#nodes)
      for (const event of events) this.#onEvent(event)
      for (const { submission, error, results } of outcomes) submission.done(error, results)
    } else {
      const behind = this.#waiting
      this.#waiting = []
      for (const { submission } of outcomes) submission.done(failure, [])
      for (const submission of behind) submission.done(failure, [])
    }
    this.#goOn()
  }

  /** Does what waits on the draft. Returns the id of the last transaction of the batch. */
  #prepare(draft: TreeDraft, events: WatchEvent[], outcomes: Outcome[]): number {
    let zxid = this.#zxid
    let taken = 0
    let operationCount = 0
    const nowMs = this.#clock.now()
    for (const submission of this.#waiting) {
      if (operationCount >= this.#maxBatchOperations) break
      taken++
      try {
        const operations = submission.operations(draft)
        operationCount += operations.length
        const applied = applyOperations(draft, operations, { zxid: zxid + 1, nowMs, sessionId: submission.sessionId })
        if (applied.events.length > 0) zxid++
        events.push(...applied.events)
        outcomes.push({ submission, error: null, results: applied.results })
      } catch (error) {
        if (!(error instanceof CoordinationError)) throw error
        outcomes.push({ submission, error, results: [] })
      }
    }
    this.#waiting = this.#waiting.slice(taken)
    return zxid
  }

  /** null when stored. */
  async #persist(zxid: number, draft: TreeDraft): Promise<CoordinationError | null> {
    if (draft.changes.size === 0) return null
    try {
      await this.#store.commit(
        zxid,
        this.#unsaved.size === 0 ? draft.changes : new Map([...this.#unsaved, ...draft.changes]),
      )
      this.#unsaved = new Map()
      return null
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause)
      return new CoordinationError('storage-failure', `the coordination tree could not be stored: ${reason}`, { cause })
    }
  }

  #goOn(): void {
    if (this.#waiting.length > 0) {
      this.#schedule()
      return
    }
    this.#state = 'idle'
    const resolvers = this.#whenIdle
    this.#whenIdle = []
    for (const resolve of resolvers) resolve()
  }
}
