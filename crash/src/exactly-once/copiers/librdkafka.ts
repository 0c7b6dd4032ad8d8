/** librdkafka, by its Python binding. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { clientsRoot, installOnce, runToSuccess } from '@millrace/interop/brokers'
import type { Copier } from './copier.ts'
import { programOptions } from './program-options.ts'

const programs = join(clientsRoot, 'python')
let directory: string | undefined

async function prepare(): Promise<void> {
  const pinned = readFileSync(join(programs, 'requirements.txt'), 'utf8')
  const requirement = /^confluent-kafka==.+$/m.exec(pinned)?.[0]
  if (requirement === undefined) throw new Error('confluent-kafka is not pinned in requirements.txt')
  directory = await installOnce('crash/python', [requirement], async (target) => {
    await runToSuccess('python3', ['-m', 'venv', target])
    const pip = ['-m', 'pip', 'install', '--quiet', requirement]
    await runToSuccess(join(target, 'bin', 'python'), pip, { timeoutMs: 300_000 })
  })
}

function copier(name: string, further: readonly string[]): Copier {
  return {
    name,
    prepare,
    command: (job) => {
      if (directory === undefined) throw new Error('prepare() comes first')
      const args = ['-B', join(programs, 'confluent_copier.py'), ...programOptions(job), ...further]
      return { file: join(directory, 'bin', 'python'), args }
    },
  }
}

export const librdkafkaCopier: Copier = copier('librdkafka', [])

/** Without transactions: shows that the kills do harm to those who take no care. */
export const carelessCopier: Copier = copier('librdkafka without transactions', ['--careless'])
