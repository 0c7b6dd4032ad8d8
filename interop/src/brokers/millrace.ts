// Our broker in its forms: from the sources, by `npm start`, and as the installed product.
import { existsSync, globSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cacheRoot, repositoryRoot } from '../cache.ts'
import { runToSuccess } from '../command.ts'
import type { BrokerKind, RunningBroker, StartOptions } from './broker.ts'
import { startProcess } from './broker-process.ts'
import { freePorts } from './free-port.ts'

interface Form {
  readonly file: string
  readonly args: readonly string[]
  readonly cwd: string
  readonly ownGroup?: boolean
}

async function start(form: Form, options: StartOptions): Promise<RunningBroker> {
  const { dataDirectory } = options
  const port = options.port ?? ((await freePorts(1)) as [number])[0]
  const properties = { listeners: `PLAINTEXT://127.0.0.1:${port}`, 'log.dirs': dataDirectory, ...options.properties }
  const overrides = Object.entries(properties).flatMap(([name, value]) => ['--override', `${name}=${value}`])
  return startProcess({ ...form, args: [...form.args, ...overrides], port, dataDirectory })
}

/** `node packages/millrace/src/command.ts start`: the sources as they are, no npm in between. */
export const millrace: BrokerKind = {
  name: 'millrace',
  preallocatesIndexes: false,
  prepare: async () => {},
  start: (options) => {
    const command = join(repositoryRoot, 'packages', 'millrace', 'src', 'command.ts')
    const args = ['--conditions=source', command, 'start']
    return start({ file: process.execPath, args, cwd: repositoryRoot }, options)
  },
}

/** `npm start -- …` in the checkout, npm's own time included. */
export const millraceByNpmStart: BrokerKind = {
  name: 'millrace-npm-start',
  preallocatesIndexes: false,
  prepare: async () => {},
  start: (options) =>
    start({ file: 'npm', args: ['start', '--silent', '--'], cwd: repositoryRoot, ownGroup: true }, options),
}

const productDirectory = join(cacheRoot, 'bench', 'product')

/** The tarballs of `npm run package`, installed in an empty folder. Returns the folder. */
export async function installedProduct(): Promise<string> {
  await runToSuccess('npm', ['run', '--silent', 'package'], { cwd: repositoryRoot, timeoutMs: 300_000 })
  const tarballs = globSync('dist/*.tgz', { cwd: repositoryRoot }).map((name) => join(repositoryRoot, name))
  if (tarballs.length === 0) throw new Error('npm run package left no dist/*.tgz')
  const newest = Math.max(...tarballs.map((file) => statSync(file).mtimeMs))
  if (existsSync(productDirectory) && statSync(productDirectory).mtimeMs > newest) return productDirectory
  rmSync(productDirectory, { recursive: true, force: true })
  mkdirSync(productDirectory, { recursive: true })
  writeFileSync(join(productDirectory, 'package.json'), '{ "private": true }\n')
  await runToSuccess('npm', ['install', '--silent', ...tarballs], { cwd: productDirectory, timeoutMs: 300_000 })
  return productDirectory
}

/** Started by its installed command. */
export const millraceInstalled: BrokerKind = {
  name: 'millrace-installed',
  preallocatesIndexes: false,
  prepare: async () => {
    await installedProduct()
  },
  start: (options) => {
    const command = join(productDirectory, 'node_modules', '.bin', 'millrace')
    return start({ file: process.execPath, args: [command, 'start'], cwd: productDirectory }, options)
  },
}
