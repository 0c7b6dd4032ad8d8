/** What it means when a broker refuses a request, or something in it, or does not answer: for the session, for acknowledgements, and for metadata. */
import { ErrorCode, KafkaError, type Response, type ShareAcknowledge } from '@millrace/protocol'
import type { AcknowledgementSet } from '../acknowledgements/acknowledgement-set.ts'
import type { BrokerLink } from './broker-link.ts'
import { sessionGone } from './share-session.ts'

type Answer = Response<typeof ShareAcknowledge>
type Endpoints = Answer['nodeEndpoints']
type RefusedPartition = Pick<
  Answer['responses'][number]['partitions'][number],
  'partitionIndex' | 'errorCode' | 'errorMessage' | 'currentLeader'
>

/** The broker has refused the request as a whole. `isSession`: the session goes on all the same. */
export function requestRefused(
  link: BrokerLink,
  { errorCode, errorMessage }: Pick<Answer, 'errorCode' | 'errorMessage'>,
  { sent, isSession }: { readonly sent: Set<AcknowledgementSet>; readonly isSession: boolean },
): void {
  const { acknowledgements, cluster, nodeId, receiver } = link
  const error = new KafkaError(errorCode, errorMessage ?? undefined)
  if (!isSession) acknowledgements.lose(sessionGone(nodeId))
  acknowledgements.settle(sent, error)
  if (errorCode === ErrorCode.UNKNOWN_TOPIC_ID) cluster.metadata.refreshSoon()
  if (!isSession || error.retriable || link.isClosing) return
  if (errorCode === ErrorCode.UNKNOWN_MEMBER_ID || errorCode === ErrorCode.UNKNOWN_SERVER_ERROR)
    receiver.troubled(error)
  else receiver.failed(error)
}

/** There was no answer: whether the broker has heard, nobody knows, so the session begins anew. */
export function requestUnanswered(link: BrokerLink, error: unknown, sent: Set<AcknowledgementSet>): void {
  const { session, acknowledgements, nodeId, cluster, receiver, signal } = link
  session.lost()
  acknowledgements.settle(sent, error instanceof KafkaError ? error : sessionGone(nodeId, error))
  acknowledgements.lose(sessionGone(nodeId))
  if (signal.aborted) return
  if (error instanceof KafkaError && error.retriable) cluster.metadata.refreshSoon()
  else receiver.failed(error instanceof Error ? error : new Error(String(error)))
}

/** A partition could not be fetched from. */
export function partitionRefused(
  link: BrokerLink,
  partition: RefusedPartition & { readonly topicId: string },
  endpoints: Endpoints,
): void {
  const error = new KafkaError(partition.errorCode, partition.errorMessage ?? undefined)
  if (error.retriable) noteLeader(link, partition, endpoints)
  else if (partition.errorCode === ErrorCode.TOPIC_AUTHORIZATION_FAILED) link.receiver.failed(error)
  else link.receiver.troubled(error)
}

/** The broker could not do as it was asked for a partition. If it is not the leader, it may have said who is (KIP-951); otherwise those fields are 0. */
export function noteLeader(
  { cluster: { metadata } }: BrokerLink,
  { topicId, partitionIndex, errorCode, currentLeader }: RefusedPartition & { readonly topicId: string },
  endpoints: Endpoints,
): void {
  const topic = metadata.image.topicNames.get(topicId)
  const { leaderId, leaderEpoch } = currentLeader
  const isMoved = errorCode === ErrorCode.NOT_LEADER_OR_FOLLOWER || errorCode === ErrorCode.FENCED_LEADER_EPOCH
  if (isMoved && topic !== undefined && leaderId >= 0) {
    const nodes = endpoints.map(({ nodeId, ...node }) => ({ id: nodeId, ...node }))
    metadata.leaderMoved({ topic, partition: partitionIndex, leaderId, leaderEpoch }, nodes)
  }
  if (new KafkaError(errorCode).retriable) metadata.refreshSoon()
}

/** The broker has answered, and not said what became of these. */
export function acknowledgementsLeftOut({ acknowledgements }: BrokerLink, sent: Set<AcknowledgementSet>): void {
  const message = 'the broker did not say what became of the acknowledgements'
  acknowledgements.settle(sent, new KafkaError(ErrorCode.INVALID_RECORD_STATE, message))
}
