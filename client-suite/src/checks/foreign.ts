// Other clients read what ours wrote, and the reverse.
import {
  anyRecord,
  codecs,
  corpus,
  exactReader,
  expectRecords,
  fromAnswer,
  java,
  kcat,
  lines,
  toJob,
  type Codec,
  type Expected,
  type ReadRecord,
  type TestRecord,
} from '@millrace/interop/checking'
import { Produce } from '@millrace/protocol'
import type { Bench } from '../bench.ts'
import { section } from '../check.ts'
import { take } from '../reading.ts'

export const { checks, check } = section('beside other clients', { timeoutMs: 90_000 })

/** Kafka's own client has no versions any more that brokers before 2.1 know. */
const needsOfJava = [{ api: Produce, version: 7 }]
const hasZstd = (bench: Bench) => bench.testbed.missing([{ api: Produce, version: 7 }]) === null
const codecsOf = (bench: Bench) => codecs.filter((codec) => codec !== 'zstd' || hasZstd(bench))

const corpusTopic = (bench: Bench) => bench.topic({ configs: { 'max.message.bytes': '2000000' } })

/** Returns what must be read. */
async function writeCorpus(bench: Bench, topic: string, codec: Codec): Promise<Expected> {
  const records = corpus(Date.now() - 3_600_000, anyRecord)
  await using producer = bench.kafka().producer({
    topic,
    compressionType: codec,
    lingerMs: 20,
    batchSize: 100_000,
    maxRequestSize: 2_000_000,
  })
  await producer.sendAll(
    records.map(({ key, value, headers, timestamp }) => ({
      key,
      value,
      timestamp,
      headers: headers.map(({ name, value: content }) => [name, content] as const),
    })),
  )
  return { records, firstOffset: 0, timestamps: 'as written' }
}

async function readOurselves(bench: Bench, topic: string, count: number): Promise<ReadRecord[]> {
  await using consumer = bench.kafka().consumer({ offsetReset: 'earliest' })
  consumer.assign([{ topic, partition: 0 }])
  const buffer = (bytes: Uint8Array | null) => (bytes === null ? null : Buffer.from(bytes))
  return (await take(consumer, count, bench.signal)).map((record) => ({
    offset: Number(record.offset),
    timestamp: record.timestamp,
    key: buffer(record.key),
    value: buffer(record.value),
    headers: record.headers.map(({ key, value }) => ({ name: key, value: buffer(value) })),
  }))
}

for (const [client, needs] of [
  [java, needsOfJava],
  [kcat, []],
] as const) {
  check(
    `${client.name} reads what ours wrote, with every codec`,
    async (bench) => {
      await client.prepare()
      await using session = client.open(bench.bootstrap)
      for (const codec of codecsOf(bench)) {
        const topic = await corpusTopic(bench)
        const expected = await writeCorpus(bench, topic, codec)
        const job = { topic, partition: 0, offset: -2, count: expected.records.length, timeoutMs: 20_000 }
        expectRecords(fromAnswer(await session.call('consume', job)), expected, client.reads!.limits, codec)
      }
      return codecsOf(bench).join(', ')
    },
    { needs },
  )

  check(
    `ours reads what ${client.name} wrote, with every codec`,
    async (bench) => {
      await client.prepare()
      await using session = client.open(bench.bootstrap)
      const isCorpus = client.writes.records === 'corpus'
      for (const codec of codecsOf(bench)) {
        const topic = await corpusTopic(bench)
        const fromMs = Date.now()
        const records: TestRecord[] = isCorpus ? corpus(fromMs - 3_600_000, client.writes.limits) : lines()
        await session.call('produce', { topic, partition: 0, codec, mode: '', records: records.map(toJob) })
        const timestamps = isCorpus ? 'as written' : { fromMs }
        const expected: Expected = { records, firstOffset: 0, timestamps }
        expectRecords(await readOurselves(bench, topic, records.length), expected, exactReader, codec)
      }
      return codecsOf(bench).join(', ')
    },
    { needs },
  )
}
