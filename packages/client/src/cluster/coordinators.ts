/** Which broker coordinates a group, a transactional id or a share partition: asked once, and again when told that it moved. */
import { ErrorCode, errorName, FindCoordinator, KafkaError, type RequestInput, type Response } from '@millrace/protocol'
import type { Node } from './cluster-image.ts'
import type { CoordinatorKind } from './destination.ts'

const KEY_TYPES: Readonly<Record<CoordinatorKind, number>> = { group: 0, transaction: 1, share: 2 }

const needed: Readonly<Record<CoordinatorKind, string>> = {
  group: 'the operation Read (or Describe) on the group',
  transaction: 'the operation Write on the transactional id',
  share: 'the operation Read on the share group',
}

type Ask = (
  request: (version: number) => RequestInput<typeof FindCoordinator>,
  signal: AbortSignal | undefined,
) => Promise<Response<typeof FindCoordinator>>

/** The version from which a request may ask for several keys (Kafka 3.0). */
const MANY_KEYS = 4
/** Also how many requests older brokers get at a time. */
const KEYS_IN_A_REQUEST = 200

interface Located {
  readonly errorCode: number
  readonly errorMessage: string | null
  readonly nodeId: number
  readonly host: string
  readonly port: number
}

export class Coordinators {
  readonly #ask: Ask
  readonly #known = new Map<string, Node>()

  constructor(ask: Ask) {
    this.#ask = ask
  }

  /** @throws KafkaError: COORDINATOR_NOT_AVAILABLE while there is none; not retriable when not authorized. */
  async find(kind: CoordinatorKind, key: string, signal?: AbortSignal): Promise<Node> {
    const known = this.#known.get(nameOf(kind, key))
    if (known !== undefined) return known
    const keyType = KEY_TYPES[kind]
    const answer = await this.#ask(
      (version) => (version >= MANY_KEYS ? { keyType, coordinatorKeys: [key] } : { keyType, key }),
      signal,
    )
    const found = this.#learn(kind, key, answer.coordinators[0] ?? answer)
    if (found instanceof KafkaError) throw found
    return found
  }

  /** The same for many, with few requests: for each key its coordinator, or why there is none. @throws KafkaError when nobody answers. */
  async findAll(
    kind: CoordinatorKind,
    keys: Iterable<string>,
    signal?: AbortSignal,
  ): Promise<ReadonlyMap<string, Node | KafkaError>> {
    const found = new Map<string, Node | KafkaError>()
    const unknown: string[] = []
    for (const key of new Set(keys)) {
      const known = this.#known.get(nameOf(kind, key))
      if (known === undefined) unknown.push(key)
      else found.set(key, known)
    }
    for (let at = 0; at < unknown.length; at += KEYS_IN_A_REQUEST)
      await this.#findSome(kind, unknown.slice(at, at + KEYS_IN_A_REQUEST), { found, signal })
    return found
  }

  async #findSome(
    kind: CoordinatorKind,
    keys: readonly string[],
    { found, signal }: { readonly found: Map<string, Node | KafkaError>; readonly signal: AbortSignal | undefined },
  ): Promise<void> {
    const tooMany = new Error('one key in a request')
    try {
      const { coordinators } = await this.#ask((version) => {
        if (version < MANY_KEYS) throw tooMany
        return { keyType: KEY_TYPES[kind], coordinatorKeys: keys }
      }, signal)
      for (const answer of coordinators) found.set(answer.key, this.#learn(kind, answer.key, answer))
    } catch (error) {
      if (error !== tooMany) throw error
      await Promise.all(keys.map(async (key) => found.set(key, await this.#findOrFail(kind, key, signal))))
    }
  }

  async #findOrFail(kind: CoordinatorKind, key: string, signal: AbortSignal | undefined): Promise<Node | KafkaError> {
    try {
      return await this.find(kind, key, signal)
    } catch (error) {
      if (error instanceof KafkaError) return error
      throw error
    }
  }

  #learn(kind: CoordinatorKind, key: string, answer: Located): Node | KafkaError {
    const { errorCode, errorMessage, nodeId, host, port } = answer
    if (errorCode !== ErrorCode.NONE) return new KafkaError(errorCode, whatFailed(kind, key, errorCode, errorMessage))
    const node: Node = { id: nodeId, host, port, rack: null }
    this.#known.set(nameOf(kind, key), node)
    return node
  }

  /** It is not there any more, or not reachable. */
  lost(kind: CoordinatorKind, key: string): void {
    this.#known.delete(nameOf(kind, key))
  }
}

function nameOf(kind: CoordinatorKind, key: string): string {
  return `${kind} ${key}`
}

function whatFailed(kind: CoordinatorKind, key: string, code: number, message: string | null): string {
  const subject = kind === 'transaction' ? `transactional id ${key}` : `${kind} ${key}`
  switch (code) {
    case ErrorCode.GROUP_AUTHORIZATION_FAILED:
    case ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
      return `${subject}: this client may not use it; it needs ${needed[kind]}`
  }
  return `${subject}: its coordinator cannot be found: ${message ?? errorName(code)}`
}
