/** For what each broker knows a part of. */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { AdminRequests, CallOptions } from './requests.ts'

/** The ids of all brokers in service. */
export function everyBroker(
  requests: AdminRequests,
  operation: string,
  options: CallOptions,
): Promise<readonly number[]> {
  return requests.one(operation, options, async ({ signal }) => {
    const { brokers } = await requests.cluster.metadata.refresh(signal)
    checkKnown(brokers.size)
    return [...brokers.keys()]
  })
}

/** A broker that has just started knows of none for a moment, not even of itself. @throws KafkaError, retriable. */
export function checkKnown(brokerCount: number): void {
  if (brokerCount === 0)
    throw new KafkaError(
      ErrorCode.LEADER_NOT_AVAILABLE,
      'the broker asked does not know the brokers of its cluster yet',
    )
}
