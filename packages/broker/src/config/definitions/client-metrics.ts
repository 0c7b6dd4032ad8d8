/** What can be set per client metrics subscription (KIP-714). Facts: Apache Kafka 4.3.1. */
import { anyList } from '../config-checks.ts'
import { int, list } from '../config-definition.ts'

export const clientMetricsConfigs = {
  metrics: list({
    default: [],
    check: anyList,
    importance: 'medium',
    doc: 'Prefixes of the metrics clients are asked for; * for all.',
  }),
  'interval.ms': int({
    default: 300_000,
    importance: 'medium',
    doc: 'How often clients push, between 100 ms and an hour.',
  }),
  match: list({
    default: [],
    check: anyList,
    importance: 'medium',
    doc: 'Which clients: attribute=pattern, comma separated.',
  }),
}
