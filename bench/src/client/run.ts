// Our clients and others against one Apache Kafka: `npm run bench -- client [loads] [options]`, or this file itself.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import {
  apacheKafka,
  exitOnSignals,
  repositoryRoot,
  type RunningBroker,
  writeMarkdown,
} from '@millrace/interop/brokers'
import { produceLoad, rdkafkaPerformance } from '../broker/rdkafka-performance.ts'
import { Connection } from '../wire/connection.ts'
import { createTopics, deleteTopic } from '../wire/requests.ts'
import { clients, type BenchClient } from './clients.ts'
import { arrayBytes, type Job, type Report } from './job.ts'
import { loads, type Load } from './loads.ts'
import { consumedRecords, fullSizes, quickSizes, type ClientBenchSizes } from './sizes.ts'
import { mediansOf, resultsText, tables, type Result } from './summary.ts'

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '3' },
    quick: { type: 'boolean', default: false },
    /** Names of clients, or beginnings of them: `--clients=millrace,kafkajs`. */
    clients: { type: 'string', default: '' },
    /** Ours from the sources instead of packaged and installed: quicker to begin with, and to be profiled. */
    sources: { type: 'boolean', default: false },
    'no-write': { type: 'boolean', default: false },
  },
})

class Bench {
  readonly #broker: RunningBroker
  readonly #connection: Connection
  readonly #sizes: ClientBenchSizes
  #topics = 0

  constructor(broker: RunningBroker, connection: Connection, sizes: ClientBenchSizes) {
    this.#broker = broker
    this.#connection = connection
    this.#sizes = sizes
  }

  /** One client after the other, round by round, in an order that turns. */
  async hold(load: Load, contenders: readonly BenchClient[], rounds: number): Promise<Result[]> {
    const reports = new Map<BenchClient, Report[]>(contenders.map((client) => [client, []]))
    const filled = load.kind === 'consume' ? await this.#fill(load) : null
    for (let round = 0; round < rounds; round++) {
      for (let turn = 0; turn < contenders.length; turn++) {
        const client = contenders[(turn + round) % contenders.length]!
        const report = await this.#run(load, client, filled)
        reports.get(client)!.push(report)
        const { cpu, recordsPerSecond, peakBytes } = mediansOf([report])
        console.log(
          `${load.title}, ${client.name}: ${cpu.toPrecision(3)} CPU-s per million, ` +
            `${Math.round(recordsPerSecond / 1000)} k/s, ${Math.round(peakBytes / 1e6)} MB`,
        )
      }
    }
    if (filled !== null) await deleteTopic(this.#connection, filled)
    return contenders.map((client) => ({ load, key: client.key, name: client.name, reports: reports.get(client)! }))
  }

  async #run(load: Load, client: BenchClient, filled: string | null): Promise<Report> {
    const topic = filled ?? (await this.#newTopic())
    const consumed = consumedRecords(this.#sizes, load.valueBytes)
    const job: Job = {
      kind: load.kind,
      bootstrap: this.#broker.bootstrap,
      topic,
      valueBytes: load.valueBytes,
      variant: '',
      warmUpMs: this.#sizes.warmUpMs,
      measuredMs: filled === null ? this.#sizes.measuredMs : this.#sizes.consumedMs,
      warmUpRecords: consumed.warmUp,
      measuredRecords: consumed.measured,
    }
    const report = await client.run(job, Math.ceil(this.#sizes.countedBytes / load.valueBytes))
    // So that the disk is not filled, and memory of the page cache is used again.
    if (filled === null) await deleteTopic(this.#connection, topic)
    return report
  }

  /** A topic to consume: batches as large as those of the arrays. */
  async #fill({ valueBytes }: Load): Promise<string> {
    const topic = await this.#newTopic()
    const { warmUp, measured } = consumedRecords(this.#sizes, valueBytes)
    const { bootstrap } = this.#broker
    const records = warmUp + measured
    await produceLoad({ bootstrap, topic, partitions: 1, records, recordSize: valueBytes }, arrayBytes)
    return topic
  }

  async #newTopic(): Promise<string> {
    const name = `clients-${this.#topics++}`
    await createTopics(this.#connection, [{ name, partitions: 1 }])
    return name
  }
}

const named = positionals.filter((name) => name !== 'client')
const chosen = loads.filter(
  ({ title, kind }) => named.length === 0 || named.some((name) => kind === name || title === name),
)
if (chosen.length === 0)
  throw new Error(`loads are ${loads.map(({ title }) => `"${title}"`).join(', ')}, or their kinds`)
const wanted = options.clients.split(',')
const all = clients(!options.sources && !options.quick)
const taking = all.filter(({ name }) => wanted.some((each) => name.startsWith(each)))
const rounds = options.quick ? 1 : Number(options.rounds)

exitOnSignals()
const directory = mkdtempSync(join(tmpdir(), 'millrace-bench-'))
process.once('exit', () => rmSync(directory, { recursive: true, force: true }))
await apacheKafka.prepare()
await rdkafkaPerformance()
for (const client of taking) await client.prepare()
const broker = await apacheKafka.start({
  dataDirectory: join(directory, 'data'),
  properties: { 'log.segment.delete.delay.ms': '0', 'group.initial.rebalance.delay.ms': '0' },
})
const results: Result[] = []
try {
  await broker.ready()
  using connection = await Connection.open(broker)
  const bench = new Bench(broker, connection, options.quick ? quickSizes : fullSizes)
  for (const load of chosen) {
    const contenders = taking.filter((client) => client.takesPart(load))
    results.push(...(await bench.hold(load, contenders, rounds)))
  }
} finally {
  await broker.kill()
}
const text = tables(results, rounds)
console.log(`\n${text}`)
if (!options.quick && !options['no-write'] && named.length === 0 && !options.sources && taking.length === all.length) {
  const file = join(repositoryRoot, 'bench', 'RESULTS.md')
  await writeMarkdown(file, resultsText(existsSync(file) ? readFileSync(file, 'utf8') : '', text))
  console.log('results in bench/RESULTS.md')
}
