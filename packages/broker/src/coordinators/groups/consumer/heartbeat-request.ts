/** What a consumer group's heartbeat must look like. Source: Kafka's GroupCoordinatorService. */
import {
  ErrorCode,
  KafkaError,
  type ConsumerGroupHeartbeat,
  type Request,
  type ResponseInput,
} from '@millrace/protocol'
import { checkIdLength, checkTopicCount } from '../../client-bounds.ts'
import type { Assignor } from '../assignors/assignor.ts'
import { leavingEpoch, leavingForAWhileEpoch } from './consumer-member.ts'

export type HeartbeatRequest = Request<typeof ConsumerGroupHeartbeat>
export type HeartbeatAnswer = ResponseInput<typeof ConsumerGroupHeartbeat>

/** From this version on members choose their ids (KIP-1082). */
const firstVersionWithOwnIds = 1

/** @throws KafkaError INVALID_REQUEST, UNSUPPORTED_ASSIGNOR. */
export function checkHeartbeatRequest(
  request: HeartbeatRequest,
  apiVersion: number,
  assignors: ReadonlyMap<string, Assignor>,
): void {
  const { memberEpoch, serverAssignor } = request
  if (apiVersion >= firstVersionWithOwnIds || memberEpoch > 0 || memberEpoch === leavingEpoch)
    refuseEmpty(request.memberId, "MemberId can't be empty.")
  refuseEmpty(request.groupId, "GroupId can't be empty.")
  refuseEmpty(request.instanceId, "InstanceId can't be empty.")
  refuseEmpty(request.rackId, "RackId can't be empty.")
  for (const id of [request.memberId, request.groupId, request.instanceId, request.rackId]) checkIdLength(id)
  checkTopicCount(request.subscribedTopicNames)
  if (memberEpoch === 0) checkJoin(request)
  else if (memberEpoch === leavingForAWhileEpoch) {
    if (request.instanceId === null) throw invalid("InstanceId can't be null.")
  } else if (memberEpoch < leavingForAWhileEpoch) throw invalid('MemberEpoch is invalid.')
  if (serverAssignor !== null && !assignors.has(serverAssignor))
    throw new KafkaError(
      ErrorCode.UNSUPPORTED_ASSIGNOR,
      `ServerAssignor ${serverAssignor} is not supported. Supported assignors: ${[...assignors.keys()].join(', ')}.`,
    )
}

/** A member that subscribes to nothing is one all the same; it has to say so. */
function checkJoin({
  rebalanceTimeoutMs,
  topicPartitions,
  subscribedTopicNames,
  subscribedTopicRegex,
}: HeartbeatRequest): void {
  if (rebalanceTimeoutMs === -1) throw invalid('RebalanceTimeoutMs must be provided in first request.')
  if (topicPartitions === null || topicPartitions.length > 0)
    throw invalid('TopicPartitions must be empty when (re-)joining.')
  if (subscribedTopicNames === null && subscribedTopicRegex === null)
    throw invalid('Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.')
}

function refuseEmpty(text: string | null, message: string): void {
  if (text !== null && text.trim() === '') throw invalid(message)
}

function invalid(message: string): KafkaError {
  return new KafkaError(ErrorCode.INVALID_REQUEST, message)
}
