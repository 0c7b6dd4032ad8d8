/** Transactions and idempotent producers. Facts: Apache Kafka 4.3.1. */
import { atLeast } from '../config-checks.ts'
import { boolean, int, short } from '../config-definition.ts'

export const transactionsConfigs = {
  'transactional.id.expiration.ms': int({
    default: 604_800_000,
    check: atLeast(1),
    importance: 'high',
    doc: 'How long a transactional id without transactions is remembered.',
  }),
  'transaction.max.timeout.ms': int({
    default: 900_000,
    check: atLeast(1),
    importance: 'high',
    doc: 'Longest transaction timeout a producer may ask for.',
  }),
  'transaction.state.log.replication.factor': short({
    default: 3,
    check: atLeast(1),
    importance: 'high',
    doc: 'Replicas of __transaction_state when it is created.',
  }),
  'transaction.state.log.num.partitions': int({
    default: 50,
    check: atLeast(1),
    importance: 'high',
    doc: 'Partitions of __transaction_state when it is created.',
  }),
  'transaction.state.log.segment.bytes': int({
    default: 104_857_600,
    check: atLeast(1),
    importance: 'high',
    doc: 'Segment size of __transaction_state.',
  }),
  'transaction.state.log.min.isr': int({
    default: 2,
    check: atLeast(1),
    importance: 'high',
    doc: 'min.insync.replicas of __transaction_state.',
  }),
  'transaction.state.log.load.buffer.size': int({
    default: 5_242_880,
    check: atLeast(1),
    importance: 'high',
    doc: 'Bytes read at a time when a transaction coordinator loads its partition.',
  }),
  'transaction.abort.timed.out.transaction.cleanup.interval.ms': int({
    default: 10_000,
    check: atLeast(1),
    importance: 'low',
    doc: 'How often transactions are checked for having timed out.',
  }),
  'transaction.remove.expired.transaction.cleanup.interval.ms': int({
    default: 3_600_000,
    check: atLeast(1),
    importance: 'low',
    doc: 'How often transactional ids are checked for being out of date.',
  }),
  'transaction.partition.verification.enable': boolean({
    default: true,
    importance: 'low',
    dynamic: 'cluster-wide',
    doc: 'Whether the transaction coordinator is asked before transactional records are appended.',
  }),
  'transaction.two.phase.commit.enable': boolean({
    default: false,
    importance: 'low',
    doc: 'Whether producers may take part in two-phase commits.',
  }),
  'producer.id.expiration.ms': int({
    default: 86_400_000,
    check: atLeast(1),
    importance: 'low',
    dynamic: 'cluster-wide',
    doc: 'How long a partition remembers a producer that no longer writes.',
  }),
  'producer.id.expiration.check.interval.ms': int({
    default: 600_000,
    check: atLeast(1),
    importance: 'low',
    internal: true,
    doc: 'How often producers are checked for being out of date.',
  }),
  'add.partitions.to.txn.retry.backoff.ms': int({
    default: 20,
    check: atLeast(1),
    importance: 'high',
    doc: 'Pause before a broker asks the transaction coordinator again.',
  }),
  'add.partitions.to.txn.retry.backoff.max.ms': int({
    default: 100,
    check: atLeast(0),
    importance: 'high',
    doc: 'Longest time a broker goes on asking the transaction coordinator.',
  }),
}
