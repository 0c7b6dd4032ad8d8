/** The two requests by which a member takes part in a rebalance, and what their answers mean. */
import { ErrorCode, JoinGroup, KafkaError, SyncGroup, type RequestInput, type Response } from '@millrace/protocol'
import type { Cluster } from '../../cluster/cluster.ts'
import { CONSUMER_PROTOCOL_TYPE } from './consumer-protocol-codec.ts'

/** What a join may take beyond maxPollIntervalMs, for which the coordinator waits for the other members. */
const JOIN_LAPSE_MS = 5000
/** As long as the coordinator keeps. */
const LONGEST_REASON = 255

export interface JoinOptions {
  readonly cluster: Cluster
  readonly groupId: string
  readonly groupInstanceId: string | null
  readonly sessionTimeoutMs: number
  readonly maxPollIntervalMs: number
  readonly signal: AbortSignal
}

export interface JoiningMember {
  readonly memberId: string
  readonly protocols: readonly { readonly name: string; readonly metadata: Uint8Array }[]
  readonly reason: string
}

/** Resolves when all members have joined. The answer may carry an error. @throws KafkaError of `Cluster.send`; the signal's reason. */
export async function joinGroup(options: JoinOptions, member: JoiningMember): Promise<Response<typeof JoinGroup>> {
  const { cluster, groupId, groupInstanceId, sessionTimeoutMs, maxPollIntervalMs, signal } = options
  const request = (version: number): RequestInput<typeof JoinGroup> => ({
    groupId,
    sessionTimeoutMs,
    rebalanceTimeoutMs: maxPollIntervalMs,
    memberId: member.memberId,
    groupInstanceId: instanceIn(version, groupId, groupInstanceId),
    protocolType: CONSUMER_PROTOCOL_TYPE,
    protocols: member.protocols.map(({ name, metadata }) => ({ name, metadata })),
    reason: member.reason.slice(0, LONGEST_REASON),
  })
  const timeoutMs = Math.max(cluster.settings.requestTimeoutMs, maxPollIntervalMs + JOIN_LAPSE_MS)
  return await cluster.send({ coordinatorOf: groupId, kind: 'group', lane: 'membership' }, JoinGroup, request, {
    signal,
    timeoutMs,
  })
}

/** Static members are there since version 5 (KIP-345). */
function instanceIn(version: number, groupId: string, groupInstanceId: string | null): string | null {
  if (groupInstanceId === null || version >= 5) return groupInstanceId
  throw new KafkaError(ErrorCode.UNSUPPORTED_VERSION, `group ${groupId}: groupInstanceId needs Kafka 2.3 or newer`)
}

export interface SyncingMember {
  readonly memberId: string
  readonly generationId: number
  readonly protocolName: string
  /** Of all members, from the leader. */
  readonly assignments: readonly { readonly memberId: string; readonly assignment: Uint8Array }[]
}

/** Resolves when the leader has brought the assignments. As `joinGroup`. */
export async function syncGroup(
  { cluster, groupId, groupInstanceId, signal }: JoinOptions,
  { memberId, generationId, protocolName, assignments }: SyncingMember,
): Promise<Response<typeof SyncGroup>> {
  const request: RequestInput<typeof SyncGroup> = {
    groupId,
    generationId,
    memberId,
    groupInstanceId,
    protocolType: CONSUMER_PROTOCOL_TYPE,
    protocolName,
    assignments: [...assignments],
  }
  return await cluster.send({ coordinatorOf: groupId, kind: 'group', lane: 'membership' }, SyncGroup, request, {
    signal,
  })
}

/** Throws for an answer that another group made. */
export function checkProtocol(got: string | null, expected: string, what: string): void {
  if (got === null || got === expected) return
  throw new KafkaError(
    ErrorCode.INCONSISTENT_GROUP_PROTOCOL,
    `the coordinator answered with the ${what} ${got}; expected ${expected}`,
  )
}

export function groupError(code: number, groupId: string, groupInstanceId: string | null): KafkaError {
  return new KafkaError(code, `group ${groupId}: ${explanationOf(code, groupInstanceId)}`)
}

function explanationOf(code: number, groupInstanceId: string | null): string {
  switch (code) {
    case ErrorCode.FENCED_INSTANCE_ID:
      return `another consumer has joined with the groupInstanceId ${groupInstanceId}; each consumer needs its own`
    case ErrorCode.UNRELEASED_INSTANCE_ID:
      return `the groupInstanceId ${groupInstanceId} is still in use by another consumer; each consumer needs its own`
    case ErrorCode.INCONSISTENT_GROUP_PROTOCOL:
      return 'its members have no assignor in common with this one, or it is not a group of consumers; see partitionAssignmentStrategy'
    case ErrorCode.INVALID_SESSION_TIMEOUT:
      return 'the broker does not allow this sessionTimeoutMs; see group.min.session.timeout.ms and group.max.session.timeout.ms there'
    case ErrorCode.GROUP_AUTHORIZATION_FAILED:
      return 'this client may not use it; it needs the operation Read on the group'
    case ErrorCode.GROUP_MAX_SIZE_REACHED:
      return 'it already has as many members as the broker allows'
    case ErrorCode.GROUP_ID_NOT_FOUND:
      return "it is a classic group with members, which the broker does not convert (group.consumer.migration.policy); use groupProtocol 'auto' or 'classic'"
    case ErrorCode.UNSUPPORTED_ASSIGNOR:
      return 'the broker does not have the assignor asked for; see groupRemoteAssignor'
  }
  return new KafkaError(code).message
}
