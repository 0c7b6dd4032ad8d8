import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { clientsRoot, installOnce, runToSuccess } from '@millrace/interop/brokers'
import type { Copier } from './copier.ts'
import { programOptions } from './program-options.ts'

const sources = join(clientsRoot, 'go')
let directory: string | undefined

export const franzGoCopier: Copier = {
  name: 'franz-go',
  prepare: async () => {
    const inputs = ['go.mod', 'go.sum', 'copier/main.go'].map((file) => readFileSync(join(sources, file), 'utf8'))
    directory = await installOnce('crash/go', inputs, async (target) => {
      await runToSuccess('go', ['build', '-o', `${target}/`, './copier'], { cwd: sources, timeoutMs: 540_000 })
    })
  },
  command: (job) => {
    if (directory === undefined) throw new Error('prepare() comes first')
    return { file: join(directory, 'copier'), args: programOptions(job) }
  },
}
