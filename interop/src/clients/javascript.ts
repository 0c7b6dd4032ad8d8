// The two JavaScript clients: installed without install scripts, run by the Node that runs this.
import { copyFileSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { clientsRoot } from '../cache.ts'
import { ClientProgram } from '../client-program.ts'
import { exactReader } from '../expect.ts'
import { anyRecord, codecs, type ForeignClient } from './foreign-client.ts'
import { javascriptPackages } from './javascript-packages.ts'

const sources = join(clientsRoot, 'javascript')
const manifest = JSON.parse(readFileSync(join(sources, 'package.json'), 'utf8')) as {
  dependencies: Record<string, string>
}

let installed: string | undefined

async function prepare(): Promise<void> {
  installed = await javascriptPackages()
  // The programs run beside node_modules, where their imports are found.
  for (const file of globSync('*.mjs', { cwd: sources })) copyFileSync(join(sources, file), join(installed, file))
}

function open(program: string, bootstrap: string): ClientProgram {
  if (installed === undefined) throw new Error('prepare() comes first')
  const args = ['--no-warnings', join(installed, program), bootstrap]
  return new ClientProgram({ file: process.execPath, args, cwd: installed })
}

const admin = [
  'createTopic',
  'listTopics',
  'describeTopic',
  'createPartitions',
  'offsets',
  'describeConfigs',
  'deleteRecords',
  'describeCluster',
  'deleteTopic',
]

/** Its consumer needs a group, so it does not read single partitions. */
export const kafkajs: ForeignClient = {
  name: 'kafkajs',
  version: manifest.dependencies['kafkajs']!,
  prepare,
  open: (bootstrap) => open('kafkajs.mjs', bootstrap),
  operations: [...admin, 'replaceConfigs'],
  writes: {
    codecs,
    modes: ['acks1', 'acks0', 'idempotent'],
    records: 'corpus',
    limits: { ...anyRecord, nullHeaderValues: false },
  },
  reads: null,
  groups: {
    memberships: [{ protocol: 'classic', assignor: 'RoundRobinAssigner' }],
    commits: ['sync', 'partition'],
    metadata: 'exact',
    autoCommits: true,
    isStatic: false,
  },
  transactions: { readsCommittedView: true, membership: { protocol: 'classic', assignor: 'RoundRobinAssigner' } },
}

export const platformatic: ForeignClient = {
  name: '@platformatic/kafka',
  version: manifest.dependencies['@platformatic/kafka']!,
  prepare,
  open: (bootstrap) => open('platformatic.mjs', bootstrap),
  operations: [...admin, 'maxTimestamp', 'alterConfigs', 'logDirs'],
  writes: { codecs, modes: ['acks1', 'acks0', 'idempotent'], records: 'corpus', limits: anyRecord },
  reads: { codecs, modes: [], limits: exactReader, isBlindToTransactions: true },
  groups: {
    memberships: [
      { protocol: 'classic', assignor: 'roundrobin' },
      { protocol: 'classic', assignor: 'cooperative-sticky' },
      { protocol: 'consumer', assignor: 'uniform', isStatic: true },
    ],
    commits: ['sync', 'partition'],
    metadata: 'none',
    autoCommits: true,
    isStatic: false,
  },
  transactions: { readsCommittedView: false, membership: { protocol: 'classic', assignor: 'roundrobin' } },
}
