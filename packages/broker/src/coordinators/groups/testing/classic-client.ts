/** What members of a classic group send, and what became of it: for tests. */
import { errorName, KafkaError } from '@millrace/protocol'
import type {
  HeartbeatAnswer,
  JoinAnswer,
  JoinRequest,
  LeaveAnswer,
  SyncAnswer,
  SyncRequest,
} from '../classic/classic-answers.ts'
import type { GroupShardUnderTest } from './group-shard-under-test.ts'

export const testGroup = 'group'

/** A request on its way: `answer` undefined while it waits. A refusal is an answer with nothing but its code. */
export interface Sent<A> {
  answer: (A & { readonly errorCode: number }) | { readonly errorCode: number } | undefined
  /** By name; undefined while it waits. */
  readonly error: string | undefined
}

export function sent<A extends { errorCode: number }>(promise: Promise<A>): Sent<A> {
  const sending: Sent<A> = {
    answer: undefined,
    get error() {
      return this.answer === undefined ? undefined : errorName(this.answer.errorCode)
    },
  }
  promise.then(
    (answer) => (sending.answer = answer),
    (error: unknown) => {
      if (!(error instanceof KafkaError)) throw error
      sending.answer = { errorCode: error.code }
    },
  )
  return sending
}

export class ClassicClient {
  memberId = ''
  generation = -1
  readonly groupInstanceId: string | null
  readonly version: number
  readonly #under: GroupShardUnderTest
  readonly #group: string

  constructor(
    under: GroupShardUnderTest,
    options: { readonly version?: number; readonly instance?: string; readonly group?: string } = {},
  ) {
    this.#under = under
    this.version = options.version ?? 9
    this.groupInstanceId = options.instance ?? null
    this.#group = options.group ?? testGroup
  }

  join(request: Partial<JoinRequest> = {}): Sent<JoinAnswer> {
    const whole: JoinRequest = {
      groupId: this.#group,
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: 30_000,
      memberId: this.memberId,
      groupInstanceId: this.groupInstanceId,
      protocolType: 'consumer',
      protocols: [protocol('range')],
      reason: null,
      ...request,
    }
    const joining = this.#under.write(({ classic }) => classic.join(whole, this.#under.client(this.version)))
    void joining.then(
      ({ memberId, generationId }) => {
        if (memberId !== '') this.memberId = memberId
        this.generation = generationId ?? -1
      },
      () => {},
    )
    return sent(joining)
  }

  sync(request: Partial<SyncRequest> = {}): Sent<SyncAnswer> {
    const whole: SyncRequest = {
      groupId: this.#group,
      generationId: this.generation,
      memberId: this.memberId,
      groupInstanceId: this.groupInstanceId,
      protocolType: null,
      protocolName: null,
      assignments: [],
      ...request,
    }
    return sent(this.#under.write(({ classic }) => classic.sync(whole, this.#under.client(5))))
  }

  heartbeat(generationId = this.generation): Sent<HeartbeatAnswer> {
    const { memberId, groupInstanceId } = this
    const request = { groupId: this.#group, generationId, memberId, groupInstanceId }
    return sent(this.#under.write(({ classic }) => classic.heartbeat(request, this.#under.client(4))))
  }

  leave(memberId = this.memberId, groupInstanceId = this.groupInstanceId): Sent<LeaveAnswer> {
    const members = [{ memberId, groupInstanceId, reason: null }]
    const request = { groupId: this.#group, memberId: '', members }
    return sent(this.#under.write(({ classic }) => classic.leave(request, this.#under.client(5))))
  }
}

export function protocol(name: string, text = name): { name: string; metadata: Uint8Array } {
  return { name, metadata: Buffer.from(text) }
}

/** A subscription of Kafka's consumer protocol, version 0. */
export function subscription(...topics: string[]): Uint8Array {
  const parts = [Buffer.from([0, 0, 0, 0, 0, topics.length])]
  for (const topic of topics) parts.push(Buffer.from([0, topic.length]), Buffer.from(topic))
  return Buffer.concat([...parts, Buffer.from([0xff, 0xff, 0xff, 0xff])])
}
