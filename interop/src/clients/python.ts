// The two Python clients share one virtual environment.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { clientsRoot, installOnce } from '../cache.ts'
import { ClientProgram } from '../client-program.ts'
import { runToSuccess } from '../command.ts'
import { exactReader } from '../expect.ts'
import { anyRecord, codecs, type ForeignClient } from './foreign-client.ts'

const programs = join(clientsRoot, 'python')
const requirements = join(programs, 'requirements.txt')

function pinned(name: string): string {
  const line = readFileSync(requirements, 'utf8')
    .split('\n')
    .find((text) => text.startsWith(`${name}==`))
  if (line === undefined) throw new Error(`${name} is not pinned in requirements.txt`)
  return line.slice(name.length + 2)
}

let environment: string | undefined

async function prepare(): Promise<void> {
  environment = await installOnce('interop/python', [readFileSync(requirements, 'utf8')], async (directory) => {
    await runToSuccess('python3', ['-m', 'venv', directory])
    const pip = ['-m', 'pip', 'install', '--quiet', '--requirement', requirements]
    await runToSuccess(join(directory, 'bin', 'python'), pip, { timeoutMs: 300_000 })
  })
}

function open(program: string, bootstrap: string): ClientProgram {
  if (environment === undefined) throw new Error('prepare() comes first')
  const args = ['-B', '-W', 'ignore', join(programs, program), bootstrap]
  return new ClientProgram({ file: join(environment, 'bin', 'python'), args, cwd: programs })
}

const admin = [
  'createTopic',
  'listTopics',
  'describeTopic',
  'createPartitions',
  'offsets',
  'maxTimestamp',
  'describeConfigs',
  'alterConfigs',
  'deleteRecords',
  'describeCluster',
  'deleteTopic',
]

/** librdkafka's Python binding. */
export const confluentKafka: ForeignClient = {
  name: 'confluent-kafka',
  version: pinned('confluent-kafka'),
  prepare,
  open: (bootstrap) => open('confluent_client.py', bootstrap),
  operations: admin,
  writes: { codecs, modes: ['acks1', 'acks0', 'idempotent'], records: 'corpus', limits: anyRecord },
  reads: { codecs, modes: ['read_committed', 'tiny'], limits: exactReader },
  groups: {
    memberships: [
      { protocol: 'classic', assignor: 'range' },
      { protocol: 'classic', assignor: 'cooperative-sticky', isCooperative: true },
      { protocol: 'consumer', assignor: 'uniform', isCooperative: true },
    ],
    commits: ['sync', 'async', 'partition'],
    metadata: 'zero-terminated',
    autoCommits: true,
    isStatic: true,
  },
  transactions: { readsCommittedView: true, membership: { protocol: 'classic', assignor: 'range' } },
}

export const kafkaPython: ForeignClient = {
  name: 'kafka-python',
  version: pinned('kafka-python'),
  prepare,
  open: (bootstrap) => open('kafka_python_client.py', bootstrap),
  operations: [...admin, 'describeProducers', 'logDirs'],
  writes: {
    codecs,
    modes: ['acks1', 'acks0', 'idempotent'],
    records: 'corpus',
    limits: { ...anyRecord, nullHeaderValues: false },
  },
  reads: { codecs, modes: ['read_committed', 'tiny'], limits: exactReader },
  groups: {
    memberships: [
      { protocol: 'classic', assignor: 'range' },
      { protocol: 'classic', assignor: 'cooperative-sticky', isCooperative: true },
    ],
    commits: ['sync', 'async', 'partition'],
    metadata: 'exact',
    autoCommits: true,
    isStatic: true,
  },
  transactions: { readsCommittedView: true, membership: { protocol: 'classic', assignor: 'range' } },
}
