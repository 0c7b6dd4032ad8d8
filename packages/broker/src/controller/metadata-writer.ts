/**
 * Writes changes of the cluster's metadata to the coordination tree, one term of one controller long.
 *
 * Decisions are made on the draft: the image as it will be when all that was submitted is durable. So a caller looks at the draft,
 * decides and submits in one synchronous block, and need not wait for those before it: writes are pipelined, the tree keeps their order,
 * and each becomes visible in the cache, in that order, when it is durable.
 *
 * Every transaction checks the version of `/controller_epoch`, so that a controller that was deposed without knowing it writes nothing.
 * When one write fails, whatever its reason, the draft is no longer to be trusted: the writer fails all that follows and is done for.
 * Its owner reads the tree anew and makes another.
 */
import { checkNode, isCoordinationFailure, MAX_MULTI_BYTES, operationBytes } from '@millrace/coordination'
import type { CoordinationSession, Operation } from '@millrace/coordination'
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { MetadataDelta, SharedImage } from '../metadata/image.ts'
import type { MetadataCache } from '../metadata/metadata-cache.ts'
import { applyDelta } from '../metadata/metadata-delta.ts'
import { collisionForm } from './topic-names.ts'
import { controllerEpochPath } from './znodes.ts'

/** A larger write is done in several transactions, in order. */
export const MAX_OPERATIONS_PER_TRANSACTION = 1000

export interface MetadataWriterOptions {
  readonly session: CoordinationSession
  readonly cache: MetadataCache
  readonly controllerEpoch: number
  /** Version of `/controller_epoch` that this controller's election has set. */
  readonly epochVersion: number
}

export class MetadataWriter {
  readonly controllerEpoch: number
  /** Resolves with the reason when nothing more is taken: a write has failed, or the term has ended. */
  readonly ended: Promise<unknown>
  readonly #session: CoordinationSession
  readonly #cache: MetadataCache
  readonly #epochVersion: number
  /** Topic names with '.' or '_' in the form in which they collide, and how they are written. */
  readonly #collisions = new Map<string, string>()
  #draft: SharedImage
  /** Why nothing more is taken. */
  #over: KafkaError | null = null
  /** Why what is under way is not done. */
  #failure: KafkaError | null = null
  #reportEnd: (reason: unknown) => void = () => {}
  /** Settles when everything submitted is visible; never rejects. */
  #tail: Promise<void> = Promise.resolve()

  constructor(options: MetadataWriterOptions) {
    this.controllerEpoch = options.controllerEpoch
    this.#session = options.session
    this.#cache = options.cache
    this.#epochVersion = options.epochVersion
    this.#draft = options.cache.image
    this.ended = new Promise((resolve) => (this.#reportEnd = resolve))
    for (const name of this.#draft.topics.keys()) this.#noteName(name)
  }

  get draft(): SharedImage {
    return this.#draft
  }

  /** The topic, other than `name` itself, whose name differs from it only in '.' and '_'; undefined when there is none. */
  topicCollidingWith(name: string): string | undefined {
    const form = collisionForm(name)
    const other = form === null ? undefined : this.#collisions.get(form)
    return other === name ? undefined : other
  }

  /**
   * Does the operations and, once they are durable, makes the delta visible. The draft has it at once. With no operations the delta
   * waits only for those before it.
   * @throws KafkaError NOT_CONTROLLER when this term is over, KAFKA_STORAGE_ERROR when the tree could not store it.
   */
  submit(operations: readonly Operation[], delta: MetadataDelta): Promise<void> {
    if (this.#over !== null) return Promise.reject(this.#over)
    this.#draft = applyDelta(this.#draft, delta)
    for (const [name, topic] of delta.topics ?? []) {
      if (topic === null) this.#forgetName(name)
      else this.#noteName(name)
    }
    const transactions = [...inTransactions(operations)].map((some) =>
      this.#session.multi([checkNode(controllerEpochPath, this.#epochVersion), ...some]),
    )
    // The chain below looks at each in turn; until then a failure is not unhandled.
    for (const transaction of transactions) transaction.catch(() => null)
    const done = this.#tail.then(async () => {
      for (const transaction of transactions) await transaction.catch((reason: unknown) => this.#fail(reason))
      if (this.#failure !== null) throw this.#failure
      this.#cache.apply(delta)
    })
    this.#tail = done.catch(() => {})
    return done
  }

  /** Resolves when all that was submitted so far is visible or has failed. */
  settled(): Promise<void> {
    return this.#tail
  }

  /** Ends the term: what comes is answered with NOT_CONTROLLER. What is under way has the outcome the tree gives it. */
  retire(reason: string): void {
    this.#end(new Error(reason))
  }

  /** What follows a write that failed is failed too. */
  #fail(reason: unknown): void {
    this.#failure ??= failureOf(reason)
    this.#end(reason)
  }

  #end(reason: unknown): void {
    if (this.#over !== null) return
    this.#over = failureOf(reason)
    this.#reportEnd(reason)
  }

  #noteName(name: string): void {
    const form = collisionForm(name)
    if (form !== null) this.#collisions.set(form, name)
  }

  #forgetName(name: string): void {
    const form = collisionForm(name)
    if (form !== null && this.#collisions.get(form) === name) this.#collisions.delete(form)
  }
}

function failureOf(reason: unknown): KafkaError {
  if (isCoordinationFailure(reason, 'storage-failure'))
    return new KafkaError(ErrorCode.KAFKA_STORAGE_ERROR, reason.message, { cause: reason })
  const message = reason instanceof Error ? reason.message : String(reason)
  return new KafkaError(ErrorCode.NOT_CONTROLLER, `this broker is no longer the controller: ${message}`, {
    cause: reason,
  })
}

/** In order, each part within what one transaction may hold, the check of the epoch included. */
function* inTransactions(operations: readonly Operation[]): Generator<readonly Operation[]> {
  let start = 0
  let bytes = 0
  const budget = MAX_MULTI_BYTES - operationBytes(checkNode(controllerEpochPath, 0))
  for (const [index, operation] of operations.entries()) {
    const size = operationBytes(operation)
    if (index > start && (bytes + size > budget || index - start >= MAX_OPERATIONS_PER_TRANSACTION)) {
      yield operations.slice(start, index)
      start = index
      bytes = 0
    }
    bytes += size
  }
  if (operations.length > start) yield operations.slice(start)
}
