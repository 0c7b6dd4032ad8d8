/** Gets the id of a producer that is idempotent and no more; a transactional one gets its own from its coordinator. */
import { ErrorCode, InitProducerId, KafkaError } from '@millrace/protocol'
import type { Cluster } from '../../cluster/cluster.ts'
import type { ProducerIdAndEpoch } from './partition-sequences.ts'

/** Unused without transactions. */
const NO_TIMEOUT = 0x7fff_ffff

/** @throws KafkaError: retriable when time was over, else with what to do about it. */
export async function acquireProducerId(cluster: Cluster, timeoutMs: number): Promise<ProducerIdAndEpoch> {
  try {
    const attempt = async (signal: AbortSignal) => {
      const request = { transactionalId: null, transactionTimeoutMs: NO_TIMEOUT }
      const answer = await cluster.send('any', InitProducerId, request, { signal })
      if (answer.errorCode !== ErrorCode.NONE) throw new KafkaError(answer.errorCode)
      return answer
    }
    const { producerId, producerEpoch } = await cluster.withRetries('getting a producer id', attempt, { timeoutMs })
    return { id: producerId, epoch: producerEpoch }
  } catch (error) {
    throw error instanceof KafkaError && !error.retriable ? withAdvice(error) : error
  }
}

function withAdvice(error: KafkaError): KafkaError {
  const message = `no producer id: ${error.message} (${adviceFor(error.code)})`
  return new KafkaError(error.code, message, { cause: error })
}

function adviceFor(code: number): string {
  switch (code) {
    case ErrorCode.CLUSTER_AUTHORIZATION_FAILED:
      return 'brokers before Kafka 2.8 ask for the operation IdempotentWrite on the cluster; grant it, or set enableIdempotence to false'
    case ErrorCode.UNSUPPORTED_VERSION:
      return 'the broker has no idempotent producers (they came with Kafka 0.11); set enableIdempotence to false'
  }
  return 'without one the producer cannot be idempotent; see enableIdempotence'
}
