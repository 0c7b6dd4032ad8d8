// Drives every foreign client against a broker and writes what worked to interop/RESULTS.md. See README.md.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { brokerProperties } from './broker-properties.ts'
import { cacheRoot, repositoryRoot } from './cache.ts'
import { exitOnSignals } from './command.ts'
import { checkAdmin } from './checks/admin.ts'
import { checkConsuming } from './checks/consume.ts'
import type { Context, OpenClient } from './checks/context.ts'
import { checkGroups } from './checks/groups/index.ts'
import { checkKafkaTools, kafkaTools } from './checks/kafka-tools/index.ts'
import { checkKcat } from './checks/kcat.ts'
import { Observer } from './checks/observer.ts'
import { checkProducing } from './checks/produce.ts'
import { checkRestarts } from './checks/restart.ts'
import { checkSecurity, ourConnections } from './checks/security.ts'
import { checkShareGroups } from './checks/share.ts'
import { checkStreams, kafkaStreams } from './checks/streams.ts'
import { checkTransactions } from './checks/transactions/index.ts'
import { foreignClients } from './clients/index.ts'
import { java } from './clients/java.ts'
import { kcat } from './clients/kcat.ts'
import { parseOptions, type Options } from './options.ts'
import { Report } from './report.ts'
import { writeMarkdown } from './write-markdown.ts'

const installing = { name: 'installation', version: '' }

/** Installs the chosen clients. One that cannot be installed is a failed row, and the others go on. */
async function openClients(options: Options, report: Report, bootstrap: string): Promise<OpenClient[]> {
  const chosen = foreignClients.filter(({ name }) => options.only === null || options.only.has(name))
  const open: OpenClient[] = []
  for (const client of chosen) {
    try {
      await client.prepare()
      open.push({ client, session: client.open(bootstrap) })
    } catch (error) {
      await report.check(client, 'install', () => Promise.reject(error))
    }
  }
  return open
}

async function runChecks(options: Options, report: Report, directory: string): Promise<void> {
  const usesTools = options.only === null || options.only.has(kafkaTools.name)
  let broker = await options.broker.start({ dataDirectory: join(directory, 'data'), properties: brokerProperties })
  await broker.ready()
  const scratchDirectory = join(directory, 'scratch')
  mkdirSync(scratchDirectory)
  const context: Context = {
    broker,
    report,
    written: [],
    corpusStartMs: Date.now() - 3_600_000,
    scratchDirectory,
  }
  const clients = await openClients(options, report, broker.bootstrap)
  await using observer = await Observer.start(broker.bootstrap)
  try {
    for (const open of clients) {
      await checkAdmin(context, open)
      await checkProducing(context, open)
    }
    for (const open of clients) await checkConsuming(context, open)
    await checkGroups(context, clients, observer)
    await checkTransactions(context, clients, observer)
    if (clients.some(({ client }) => client === kcat)) await checkKcat(context)
    if (clients.some(({ client }) => client === java)) await checkShareGroups(context, observer)
    if (options.only === null || options.only.has(kafkaStreams.name)) await checkStreams(context, observer)
    if (options.only === null || options.only.has(ourConnections.name)) await checkSecurity(report, directory)
    if (usesTools) await checkKafkaTools(context, options.broker, observer)
    broker = await checkRestarts(context, { kind: options.broker, clients, observer, usesTools })
  } finally {
    for (const { session } of clients) await session[Symbol.asyncDispose]()
    await broker.kill()
  }
}

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2))
  if (options.list) {
    for (const { name, version } of [...foreignClients, kafkaStreams, ourConnections, kafkaTools])
      console.log(`${name}\t${version}`)
    return 0
  }
  const report = new Report((line) => console.log(line))
  const directory = mkdtempSync(join(tmpdir(), 'millrace-interop-'))
  const removeDirectory = () => rmSync(directory, { recursive: true, force: true })
  process.once('exit', removeDirectory)
  exitOnSignals()
  const startedMs = performance.now()
  try {
    await options.broker.prepare()
    await runChecks(options, report, directory)
  } catch (error) {
    await report.check(installing, 'the run itself', () => Promise.reject(error))
  } finally {
    removeDirectory()
  }
  const isWhole = options.only === null && options.broker.name.startsWith('millrace')
  const results = isWhole ? join(repositoryRoot, 'interop', 'RESULTS.md') : join(cacheRoot, 'interop', 'RESULTS.md')
  await writeMarkdown(results, report.markdown(options.broker.name))
  console.log(
    `${((performance.now() - startedMs) / 1000).toFixed(0)} s; results in ${results.slice(repositoryRoot.length + 1)}`,
  )
  console.log(`${report.passed} passed, ${report.failed} failed`)
  return report.failed === 0 ? 0 : 1
}

process.exit(await main())
