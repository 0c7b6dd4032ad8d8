// The brokers of the table, in its order.
import {
  apacheKafka,
  apacheKafka011,
  apacheKafka11,
  apacheKafka28,
  kafkaDistribution,
  kafkaVersion,
  millrace,
  redpandaVersions,
} from '@millrace/interop/brokers'
import { single, threeNodes, type TestbedKind } from './testbed.ts'

export const testbedKinds: readonly TestbedKind[] = [
  single('millrace', millrace),
  threeNodes(`kafka-${kafkaVersion}x3`, async () => {
    await kafkaDistribution()
  }),
  single(`kafka-${kafkaVersion}`, apacheKafka),
  single('as-redpanda-24.3', redpandaVersions),
  single('kafka-2.8', apacheKafka28),
  single('kafka-1.1', apacheKafka11),
  single('kafka-0.11', apacheKafka011),
]
