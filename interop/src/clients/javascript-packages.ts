// kafkajs and @platformatic/kafka, in a folder of their own: they are nobody's dependencies.
import { copyFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { clientsRoot, installOnce } from '../cache.ts'
import { runToSuccess } from '../command.ts'

const sources = join(clientsRoot, 'javascript')
const manifests = ['package.json', 'package-lock.json']

/** Installs them once, without install scripts; returns the folder that holds node_modules. */
export function javascriptPackages(): Promise<string> {
  const inputs = manifests.map((file) => readFileSync(join(sources, file), 'utf8'))
  return installOnce('interop/javascript', inputs, async (directory) => {
    for (const file of manifests) copyFileSync(join(sources, file), join(directory, file))
    await runToSuccess('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
      cwd: directory,
      timeoutMs: 300_000,
    })
  })
}
