// The three Go clients are one module, built once.
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { clientsRoot, installOnce } from '../cache.ts'
import { ClientProgram } from '../client-program.ts'
import { runToSuccess } from '../command.ts'
import { exactReader } from '../expect.ts'
import { anyRecord, codecs, type ForeignClient } from './foreign-client.ts'

const sources = join(clientsRoot, 'go')
const moduleFile = readFileSync(join(sources, 'go.mod'), 'utf8')

function pinned(module: string): string {
  const version = new RegExp(`${module} v(\\S+)`).exec(moduleFile)?.[1]
  if (version === undefined) throw new Error(`${module} is not in go.mod`)
  return version
}

let binaries: string | undefined

async function prepare(): Promise<void> {
  const files = globSync('{go.*,*/*.go}', { cwd: sources }).toSorted()
  const inputs = files.map((file) => readFileSync(join(sources, file), 'utf8'))
  binaries = await installOnce('interop/go', inputs, async (directory) => {
    const packages = ['./sarama', './franzgo', './kafkago']
    await runToSuccess('go', ['build', '-o', `${directory}/`, ...packages], { cwd: sources, timeoutMs: 540_000 })
  })
}

function open(program: string, bootstrap: string): ClientProgram {
  if (binaries === undefined) throw new Error('prepare() comes first')
  return new ClientProgram({ file: join(binaries, program), args: [bootstrap], cwd: binaries })
}

const admin = [
  'createTopic',
  'listTopics',
  'describeTopic',
  'createPartitions',
  'offsets',
  'describeConfigs',
  'alterConfigs',
  'describeCluster',
  'deleteTopic',
]

export const sarama: ForeignClient = {
  name: 'sarama',
  version: pinned('github.com/IBM/sarama'),
  prepare,
  open: (bootstrap) => open('sarama', bootstrap),
  operations: [...admin, 'deleteRecords', 'logDirs'],
  writes: { codecs, modes: ['async', 'idempotent'], records: 'corpus', limits: anyRecord },
  reads: { codecs, modes: ['read_committed'], limits: exactReader },
  groups: {
    memberships: [
      { protocol: 'classic', assignor: 'range' },
      { protocol: 'classic', assignor: 'sticky' },
      { protocol: 'classic', assignor: 'cooperative-sticky', isCooperative: true },
    ],
    commits: ['sync', 'partition'],
    metadata: 'exact',
    autoCommits: true,
    isStatic: true,
  },
  transactions: { readsCommittedView: true, membership: { protocol: 'classic', assignor: 'range' } },
}

export const franzGo: ForeignClient = {
  name: 'franz-go',
  version: pinned('github.com/twmb/franz-go'),
  prepare,
  open: (bootstrap) => open('franzgo', bootstrap),
  operations: [...admin, 'maxTimestamp', 'deleteRecords', 'describeProducers', 'logDirs'],
  writes: { codecs, modes: ['plain', 'acks1', 'acks0'], records: 'corpus', limits: anyRecord },
  reads: { codecs, modes: ['read_committed', 'tiny'], limits: exactReader },
  groups: {
    memberships: [
      { protocol: 'classic', assignor: 'range' },
      { protocol: 'classic', assignor: 'cooperative-sticky', isCooperative: true },
      // Its static member of such a group gets its share back only when its session has ended, from Apache Kafka too.
      { protocol: 'consumer', assignor: 'uniform', isCooperative: true, isStatic: false },
    ],
    commits: ['sync', 'async', 'partition'],
    metadata: 'own by default',
    autoCommits: true,
    isStatic: true,
  },
  transactions: { readsCommittedView: true, membership: { protocol: 'classic', assignor: 'cooperative-sticky' } },
}

export const kafkaGo: ForeignClient = {
  name: 'kafka-go',
  version: pinned('github.com/segmentio/kafka-go'),
  prepare,
  open: (bootstrap) => open('kafkago', bootstrap),
  operations: admin,
  writes: { codecs, modes: ['conn'], records: 'corpus', limits: anyRecord },
  reads: { codecs, modes: ['conn'], limits: { ...exactReader, emptyAsNull: true }, isBlindToTransactions: true },
  groups: {
    memberships: [
      { protocol: 'classic', assignor: 'range' },
      { protocol: 'classic', assignor: 'roundrobin' },
    ],
    commits: ['sync', 'partition'],
    metadata: 'none',
    autoCommits: true,
    isStatic: false,
  },
  transactions: null,
}
