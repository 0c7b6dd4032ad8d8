/** One ShareAcknowledge and what its answer means. */
import { ErrorCode, KafkaError, ShareAcknowledge, type RequestInput } from '@millrace/protocol'
import type { AcknowledgementSet } from '../acknowledgements/acknowledgement-set.ts'
import type { BrokerLink } from './broker-link.ts'
import { acknowledgementsLeftOut, noteLeader, requestRefused, requestUnanswered } from './failed-exchange.ts'
import { requestTopics } from './request-topics.ts'
import { FINAL_EPOCH, sessionGone } from './share-session.ts'

/** The first version that renews locks (KIP-1222). */
const RENEWALS_SINCE = 2

/**
 * Sends what waits; `isFinal`: and ends the session, which releases everything else. Resolves with whether another request may follow without a pause.
 * Never rejects.
 */
export async function exchangeAcknowledgements(link: BrokerLink, isFinal: boolean): Promise<boolean> {
  const { nodeId, cluster, session, acknowledgements, outcomes, signal } = link
  if (session.isNew) {
    acknowledgements.lose(sessionGone(nodeId))
    return true
  }
  const sent = acknowledgements.take()
  let mayGoOn = true
  try {
    const answer = await cluster.send(
      { node: nodeId, lane: 'fetch' },
      ShareAcknowledge,
      (version) => {
        if (version < RENEWALS_SINCE) refuseRenewals(link, sent)
        return requestOf(link, sent, isFinal)
      },
      { signal },
    )
    let isSession = true
    if (isFinal) session.lost()
    else isSession = session.answered(answer.errorCode, null)
    if (answer.errorCode !== ErrorCode.NONE) {
      requestRefused(link, answer, { sent, isSession })
      return false
    }
    outcomes.lockTold(answer.acquisitionLockTimeoutMs)
    for (const { topicId, partitions } of answer.responses) {
      for (const answered of partitions) {
        const { partitionIndex: partition, errorCode, errorMessage } = answered
        const error = errorCode === ErrorCode.NONE ? null : new KafkaError(errorCode, errorMessage ?? undefined)
        if (!acknowledgements.settlePartition(sent, { topicId, partition }, error)) mayGoOn = false
        if (error !== null) noteLeader(link, { ...answered, topicId }, answer.nodeEndpoints)
      }
    }
    acknowledgementsLeftOut(link, sent)
    return mayGoOn
  } catch (error) {
    requestUnanswered(link, error, sent)
    return false
  }
}

function requestOf(
  { settings, memberId, session }: BrokerLink,
  sent: ReadonlySet<AcknowledgementSet>,
  isFinal: boolean,
): RequestInput<typeof ShareAcknowledge> {
  return {
    groupId: settings.groupId,
    memberId,
    shareSessionEpoch: isFinal ? FINAL_EPOCH : session.epoch,
    isRenewAck: sent.values().some(({ isRenewal }) => isRenewal),
    topics: requestTopics(sent),
  }
}

/** The broker cannot: whoever asked is told, and everything else is sent. */
function refuseRenewals({ acknowledgements }: BrokerLink, sent: Set<AcknowledgementSet>): void {
  const message = 'locks can be renewed by brokers from Kafka 4.2; these are older'
  acknowledgements.settle(sent, new KafkaError(ErrorCode.UNSUPPORTED_VERSION, message), ({ isRenewal }) => isRenewal)
}
