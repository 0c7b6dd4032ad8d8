// What every effect is worked with, and how refusals are told.
import { KafkaError, type Admin, type Kafka } from '@millrace/client'
import type { ApacheKafkaCluster } from '../brokers/apache-kafka-cluster.ts'

export interface Stage {
  readonly kafka: Kafka
  readonly admin: Admin
  readonly cluster: ApacheKafkaCluster
}

/** The code of the KafkaError that `work` ends with. */
export async function codeOf(work: Promise<unknown>): Promise<number | string> {
  try {
    await work
    return 'done'
  } catch (error) {
    if (error instanceof KafkaError) return error.code
    throw error
  }
}
