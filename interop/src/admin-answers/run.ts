// `npm run admin-answers`: our admin beside Kafka's own on Apache Kafka 4.3.1. First the two are asked the same, and each value of their answers is
// compared; then ours changes things, and the effects are looked for.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kafka, type ConfigDescription } from '@millrace/client'
import { ApacheKafkaCluster } from '../brokers/apache-kafka-cluster.ts'
import { kafkaDistribution } from '../brokers/kafka-distribution.ts'
import { exitOnSignals } from '../command.ts'
import { canonical, countOfValues } from './canonical.ts'
import type { Effect } from './effect.ts'
import { groupEffects } from './group-effects.ts'
import { javaAnswers } from './java-answers.ts'
import { ourAnswers } from './our-answers.ts'
import { securedEffects, startSecured } from './secured.ts'
import { setScene } from './scene.ts'
import { settingEffects } from './setting-effects.ts'
import { topicEffects } from './topic-effects.ts'
import { transactionEffects } from './transaction-effects.ts'

const clusterProperties = {
  'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
  'super.users': 'User:ANONYMOUS',
  'offsets.topic.num.partitions': '3',
  'transaction.state.log.num.partitions': '3',
  'share.coordinator.state.topic.num.partitions': '3',
  'group.initial.rebalance.delay.ms': '0',
  'transaction.version': '2',
}

let passed = 0
let failed = 0

function report(what: string, problem: string | null, note = ''): void {
  if (problem === null) passed++
  else failed++
  console.log(problem === null ? `pass  ${what}${note === '' ? '' : `  (${note})`}` : `FAIL  ${what}\n      ${problem}`)
}

/** Groups write to their topic whenever they please: so often the two are asked again when something has moved while they were asked. */
const mostAttempts = 5

async function compare(kafka: Kafka, bootstrap: string, directory: string): Promise<void> {
  await using resources = new AsyncDisposableStack()
  const admin = resources.use(kafka.admin())
  const job = await setScene(kafka, admin, resources)
  let before = await ourAnswers(admin, job)
  for (let attempt = 1; ; attempt++) {
    const theirs = await javaAnswers({ directory, properties: { 'bootstrap.servers': bootstrap }, job })
    const ours = await ourAnswers(admin, job)
    for (const one of [before, ours]) one['configs'] = withoutLaterLoggers(one['configs'], theirs['configs'])
    const names = [...new Set([...Object.keys(theirs), ...Object.keys(ours)])]
    const moved = names.filter((name) => difference(canonical(before[name]), canonical(ours[name])) !== null)
    if (moved.length === 0 || attempt === mostAttempts) {
      for (const name of names) {
        const [one, other] = [canonical(ours[name]), canonical(theirs[name])]
        report(`the same as Kafka's Admin: ${name}`, difference(one, other), `${countOfValues(other)} values`)
      }
      return
    }
    console.log(`asking again, as these have moved: ${moved.join(', ')}`)
    before = await ourAnswers(admin, job)
  }
}

/** A broker gets more loggers as it does more, and ours was asked last. */
function withoutLaterLoggers(ours: unknown, theirs: unknown): readonly ConfigDescription[] {
  const isLogger = ({ type }: ConfigDescription) => type === 'BROKER_LOGGER'
  const told = (theirs as readonly ConfigDescription[]).find(isLogger)?.configs ?? {}
  return (ours as readonly ConfigDescription[]).map((one) =>
    isLogger(one)
      ? { ...one, configs: Object.fromEntries(Object.entries(one.configs).filter(([name]) => name in told)) }
      : one,
  )
}

/** Where the two differ first, or null. */
function difference(ours: unknown, theirs: unknown, path = ''): string | null {
  if (JSON.stringify(ours) === JSON.stringify(theirs)) return null
  const bothObjects = [ours, theirs].every((one) => typeof one === 'object' && one !== null)
  if (bothObjects && Array.isArray(ours) === Array.isArray(theirs)) {
    const [a, b] = [ours as Record<string, unknown>, theirs as Record<string, unknown>]
    for (const name of new Set([...Object.keys(a), ...Object.keys(b)])) {
      const found = difference(a[name], b[name], `${path}.${name}`)
      if (found !== null) return found
    }
  }
  return `${path}: ours ${JSON.stringify(ours)?.slice(0, 300)}, theirs ${JSON.stringify(theirs)?.slice(0, 300)}`
}

async function look(effects: readonly Effect[], only: string): Promise<void> {
  for (const { what, run } of effects.filter((effect) => effect.what.includes(only))) {
    try {
      report(what, null, (await run()) ?? '')
    } catch (error) {
      report(what, (error as Error).stack ?? String(error))
    }
  }
}

async function main(): Promise<number> {
  const only = process.argv[2] ?? ''
  const directory = mkdtempSync(join(tmpdir(), 'millrace-admin-answers-'))
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }))
  exitOnSignals()
  // Once, before three nodes ask for it at a time.
  await kafkaDistribution()
  {
    const cluster = await ApacheKafkaCluster.start({ directory, properties: clusterProperties })
    try {
      const kafka = new Kafka({ brokers: cluster.bootstrap, clientId: 'admin-answers' })
      if (only === '') await compare(kafka, cluster.bootstrap, directory)
      await using resources = new AsyncDisposableStack()
      const stage = { kafka, cluster, admin: resources.use(kafka.admin()) }
      const effects = [topicEffects, settingEffects, groupEffects, transactionEffects]
      await look(
        effects.flatMap((of) => of(stage)),
        only,
      )
    } finally {
      await cluster.kill()
    }
  }
  const secured = await startSecured(directory)
  try {
    await look(securedEffects(secured), only)
  } finally {
    await secured.process.kill()
  }
  console.log(`${passed} passed, ${failed} failed`)
  return failed === 0 ? 0 : 1
}

process.exit(await main())
