// `npm run client-suite`: every check of our client against every broker; writes client-suite/RESULTS.md. See README.md.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { cacheRoot, exitOnSignals, repositoryRoot, writeMarkdown } from '@millrace/interop/brokers'
import { inParallel } from '@millrace/interop/checking'
import { testbedKinds } from './brokers.ts'
import { checks as allChecks } from './checks/index.ts'
import { Results } from './results.ts'
import { runChecks } from './run-checks.ts'

const { values: options } = parseArgs({
  options: {
    broker: { type: 'string' },
    only: { type: 'string' },
    parallel: { type: 'string', default: '8' },
    'brokers-at-a-time': { type: 'string', default: '2' },
    list: { type: 'boolean', default: false },
  },
})
const chosenBrokers = options.broker?.split(',')
const kinds = testbedKinds.filter(({ name }) => chosenBrokers === undefined || chosenBrokers.includes(name))
const checks = allChecks.filter(({ section, what }) => `${section}: ${what}`.includes(options.only ?? ''))

async function main(): Promise<number> {
  if (options.list) {
    for (const { name } of testbedKinds) console.log(`broker\t${name}`)
    for (const { section, what } of checks) console.log(`check\t${section}: ${what}`)
    return 0
  }
  if (kinds.length === 0)
    throw new Error(`--broker is one or more of ${testbedKinds.map(({ name }) => name).join(', ')}`)
  const results = new Results((line) => console.log(line))
  const directory = mkdtempSync(join(tmpdir(), 'millrace-client-suite-'))
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }))
  exitOnSignals()
  const startedMs = performance.now()
  await inParallel(
    kinds.map((kind) => () => runChecks(kind, checks, { directory, results, parallel: Number(options.parallel) })),
    Number(options['brokers-at-a-time']),
  )
  const isWhole = chosenBrokers === undefined && options.only === undefined
  const file = join(isWhole ? repositoryRoot : cacheRoot, 'client-suite', 'RESULTS.md')
  const names = kinds.map(({ name }) => name)
  await writeMarkdown(file, results.markdown(names, checks))
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(0)
  console.log(`${seconds} s; results in ${file.slice(repositoryRoot.length + 1)}`)
  console.log(`${results.count('not supported')} not supported by their broker`)
  console.log(`${results.count('pass')} passed, ${results.count('FAIL')} failed`)
  return results.count('FAIL') === 0 ? 0 : 1
}

process.exit(await main())
