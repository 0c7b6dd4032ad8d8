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
      (version) => (version >= 4 ? { keyType, coordinatorKeys: [key] } : { keyType, key }),
      signal,
    )
    const { errorCode, errorMessage, nodeId, host, port } = answer.coordinators[0] ?? answer
    if (errorCode !== ErrorCode.NONE) throw new KafkaError(errorCode, whatFailed(kind, key, errorCode, errorMessage))
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
