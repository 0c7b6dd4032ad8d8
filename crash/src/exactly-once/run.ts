/** Copying exactly once while everything is killed. See README.md. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import {
  apacheKafka,
  exitOnSignals,
  freePorts,
  millrace,
  millraceByNpmStart,
  millraceInstalled,
} from '@millrace/interop/brokers'
import { BrokerUnderKills } from './broker-under-kills.ts'
import { ClusterView } from './cluster-view.ts'
import { committedValues } from './committed-values.ts'
import type { Copier, GroupProtocol } from './copiers/copier.ts'
import { franzGoCopier } from './copiers/franz-go.ts'
import { javaCopier } from './copiers/java.ts'
import { carelessCopier, librdkafkaCopier } from './copiers/librdkafka.ts'
import { fillInput } from './input.ts'
import { type Kill, planKills } from './kill-plan.ts'
import { openTransactions } from './open-transactions.ts'
import { SupervisedCopier } from './supervised-copier.ts'
import { lowerTransactionVersion } from './transaction-version.ts'
import { judge } from './verdict.ts'

const { values: options } = parseArgs({
  options: {
    records: { type: 'string', default: '100000' },
    partitions: { type: 'string', default: '6' },
    'broker-kills': { type: 'string', default: '10' },
    'copier-kills': { type: 'string', default: '10' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    broker: { type: 'string', default: millraceByNpmStart.name },
    /** 0 or 1: as before KIP-890, where clients name each partition and epochs are not bumped. */
    'transaction-version': { type: 'string' },
    /** classic, consumer, or mixed: librdkafka is a classic member among members of the other protocol. */
    'group-protocol': { type: 'string', default: 'classic' },
    /** One of the copiers does without transactions: the run must fail. */
    careless: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
    'timeout-s': { type: 'string', default: '900' },
  },
})
const kinds = [millrace, millraceByNpmStart, millraceInstalled, apacheKafka]
const kind = kinds.find(({ name }) => name === options.broker)
if (kind === undefined)
  throw new Error(`--broker: expected one of ${kinds.map(({ name }) => name).join(', ')}, got ${options.broker}`)
const records = Number(options.records)
const partitions = Number(options.partitions)
const copiers = [franzGoCopier, options.careless ? carelessCopier : librdkafkaCopier, javaCopier]
const kills = planKills({
  seed: Number(options.seed),
  brokerKills: Number(options['broker-kills']),
  copierKills: Number(options['copier-kills']),
  copiers: copiers.length,
})
const inputTopic = 'exactly-once-input'
const outputTopic = 'exactly-once-output'
const group = 'exactly-once'
const transactionSize = 50
const transactionTimeoutMs = 15_000
const pollMs = 50
/** The copying goes no further. */
class StuckError extends Error {
  override readonly name = 'StuckError'
}

/** A killed member of the Java client's holds its place for ten seconds; several may follow each other. */
const longestStallMs = 90_000

exitOnSignals()
const directory = mkdtempSync(join(tmpdir(), 'millrace-exactly-once-'))
const removeDirectory = () => {
  if (!options.keep) rmSync(directory, { recursive: true, force: true })
}
process.once('exit', removeDirectory)
console.log(
  `exactly once: ${records} records, ${partitions} partitions, seed ${options.seed}, ${kind.name}, ${directory}`,
)
for (const subject of [kind, ...copiers]) await subject.prepare()

const startedMs = performance.now()
const secondsNow = () => ((performance.now() - startedMs) / 1000).toFixed(1)
const deadlineMs = startedMs + Number(options['timeout-s']) * 1000
const [port] = (await freePorts(1)) as [number]
const bootstrap = `127.0.0.1:${port}`
await using broker = new BrokerUnderKills(kind, port, join(directory, 'data'))
await using view = new ClusterView(port)
await broker.start()
const transactionVersion = options['transaction-version']
if (transactionVersion !== undefined) await lowerTransactionVersion(bootstrap, transactionVersion)
for (const topic of [inputTopic, outputTopic]) await view.createTopic(topic, partitions)
await fillInput({ bootstrap, topic: inputTopic, records, directory })
console.log(`${secondsNow()} s: the input is there`)

const job = { bootstrap, inputTopic, outputTopic, group, transactionSize, transactionTimeoutMs }
const running = copiers.map(
  (copier) =>
    new SupervisedCopier(copier, {
      ...job,
      transactionalId: `copier-${copier.name}`,
      groupProtocol: groupProtocolOf(copier),
    }),
)
let copierKills = 0
const problems: string[] = []
try {
  for (const copier of running) {
    copier.start()
    await untilCopied(1)
  }
  for (const kill of kills) {
    await untilCopied(kill.at * records)
    await carryOut(kill)
  }
  await untilCopied(records)
  console.log(`${secondsNow()} s: all is copied`)
  await untilNoTransactionIsOpen()
} catch (error) {
  if (!(error instanceof StuckError)) throw error
  problems.push(error.message)
  console.log(`${describe()}\n${(await openTransactions(view, [outputTopic])).join('\n')}`)
}
for (const copier of running) await copier.stop()

const input = await Promise.all(
  Array.from({ length: partitions }, async (_, partition) =>
    (await view.log(inputTopic, partition)).flatMap((entry) => (entry.kind === 'data' ? [entry.value] : [])),
  ),
)
const log = []
const committed = []
for (let partition = 0; partition < partitions; partition++) {
  log.push(await view.log(outputTopic, partition))
  committed.push(await committedValues(bootstrap, outputTopic, partition))
}
const verdict = judge({ input, log, committed })
problems.push(...verdict.problems, ...(await openTransactions(view, ['__consumer_offsets'])))
for (const problem of problems.slice(0, 50)) console.log(`PROBLEM ${problem}`)
const shares = running.map(({ name, copied, failures }) => `${name} ${copied} (failed ${failures} times)`)
console.log(
  `${secondsNow()} s: broker killed ${broker.kills} times, copiers ${copierKills} times; copied: ${shares.join(', ')}`,
)
console.log({ ...verdict, problems: problems.length })
if (options.verbose) console.log(describe())
console.log(`${problems.length === 0 ? 1 : 0} passed, ${problems.length === 0 ? 0 : 1} failed`)
process.exitCode = problems.length === 0 ? 0 : 1

function groupProtocolOf(copier: Copier): GroupProtocol {
  const chosen = options['group-protocol']
  if (chosen === 'mixed') return copier === librdkafkaCopier ? 'classic' : 'consumer'
  if (chosen === 'classic' || chosen === 'consumer') return chosen
  throw new Error(`--group-protocol: expected classic, consumer or mixed, got ${chosen}`)
}

/** As the group's committed offsets tell. @throws Error when nothing moves for too long. */
async function untilCopied(wanted: number): Promise<void> {
  let most = -1
  let movedMs = performance.now()
  for (;;) {
    const copied = await copiedNow()
    if (copied >= wanted) return
    if (copied > most) movedMs = performance.now()
    most = Math.max(most, copied)
    if (performance.now() - movedMs > longestStallMs || performance.now() > deadlineMs)
      throw new StuckError(`${most} of ${records} records are copied, and nothing moves`)
    await sleep(pollMs)
  }
}

/** -1 while nobody can tell. */
async function copiedNow(): Promise<number> {
  try {
    const offsets = await view.committedOffsets(group, inputTopic, partitions)
    return Number(offsets.reduce((sum, offset) => sum + offset, 0n))
  } catch {
    return -1 // the broker is on its way up
  }
}

async function carryOut(kill: Kill): Promise<void> {
  if (kill.victim === 'copier') {
    copierKills++
    console.log(`${secondsNow()} s: ${copiers[kill.copier]!.name} is killed`)
    await running[kill.copier]!.killAndRestart(kill.downMs)
    return
  }
  console.log(
    `${secondsNow()} s: the broker is killed${kill.againAfterMs === null ? '' : ', and again when it is back'}`,
  )
  await broker.killAndRestart(kill.downMs)
  if (kill.againAfterMs === null) return
  await sleep(kill.againAfterMs)
  await broker.killAndRestart(0)
}

/** What killed copiers left open is aborted when they come back, or when it takes too long. */
async function untilNoTransactionIsOpen(): Promise<void> {
  const until = performance.now() + 4 * transactionTimeoutMs
  for (;;) {
    const stable = await view.ends(outputTopic, 'read_committed')
    const all = await view.ends(outputTopic, 'read_uncommitted')
    if (stable.every((offset, partition) => offset === all[partition])) return
    if (performance.now() > until)
      throw new StuckError(`transactions stay open: last stable offsets ${stable.join()}, ends ${all.join()}`)
    await sleep(pollMs)
  }
}

function describe(): string {
  const ofCopiers = running.map(({ name, copied, lastErrors }) => `--- ${name}, ${copied} copied:\n${lastErrors}`)
  return [...ofCopiers, `--- broker:\n${broker.lastOutput}`].join('\n')
}
