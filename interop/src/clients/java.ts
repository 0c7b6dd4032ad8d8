import { ClientProgram } from '../client-program.ts'
import { kafkaDistribution, kafkaVersion, type KafkaDistribution } from '../brokers/kafka-distribution.ts'
import { exactReader } from '../expect.ts'
import { anyRecord, codecs, type ForeignClient } from './foreign-client.ts'

let distribution: KafkaDistribution | undefined

/** Apache Kafka's Java client. */
export const java: ForeignClient = {
  name: 'java',
  version: kafkaVersion,
  prepare: async () => {
    distribution = await kafkaDistribution()
  },
  open: (bootstrap) => {
    if (distribution === undefined) throw new Error('prepare() comes first')
    const args = [
      '-XX:TieredStopAtLevel=1',
      '-XX:+UseSerialGC',
      ...distribution.toolFlags,
      '-cp',
      distribution.classPath,
      'JavaClient',
      bootstrap,
    ]
    return new ClientProgram({ file: 'java', args, cwd: distribution.directory })
  },
  operations: [
    'createTopic',
    'listTopics',
    'describeTopic',
    'createPartitions',
    'offsets',
    'maxTimestamp',
    'describeConfigs',
    'alterConfigs',
    'deleteRecords',
    'describeProducers',
    'logDirs',
    'describeCluster',
    'deleteTopic',
  ],
  writes: { codecs, modes: ['acks1', 'acks0'], records: 'corpus', limits: anyRecord },
  reads: { codecs, modes: ['read_committed', 'tiny'], limits: exactReader },
  groups: {
    memberships: [
      { protocol: 'classic', assignor: 'range' },
      { protocol: 'classic', assignor: 'cooperative-sticky', isCooperative: true },
      { protocol: 'consumer', assignor: 'uniform', isCooperative: true },
      { protocol: 'consumer', assignor: 'range', isCooperative: true, pattern: true },
    ],
    commits: ['sync', 'async', 'partition'],
    metadata: 'exact',
    autoCommits: true,
    isStatic: true,
  },
  transactions: { readsCommittedView: true, membership: { protocol: 'classic', assignor: 'range' } },
}
