// Every client reads what every client wrote.
import { codecs, type Codec } from '../clients/foreign-client.ts'
import { expectRecords, type Expected } from '../expect.ts'
import { fromAnswer, type Context, type OpenClient, type WrittenPartition } from './context.ts'

const readTimeoutMs = 20_000

async function read(
  { client, session }: OpenClient,
  from: WrittenPartition,
  fields: { offset: number; mode?: string },
) {
  const { records, firstOffset } = from.expected
  const skip = Math.max(fields.offset, 0)
  const count = records.length - skip
  const { topic, partition } = from
  const answer = await session.call('consume', { topic, partition, count, timeoutMs: readTimeoutMs, ...fields })
  const expected: Expected = { ...from.expected, records: records.slice(skip), firstOffset: firstOffset + skip }
  expectRecords(fromAnswer(answer), expected, client.reads!.limits, topic)
  return count
}

/** All partitions of `codec` from their beginning. Returns a note. */
async function readAll(context: Context, open: OpenClient, codec: Codec): Promise<string> {
  const partitions = context.written.filter((one) => one.codec === codec)
  let count = 0
  for (const from of partitions) count += await read(open, from, { offset: -2 })
  const writers = new Set(partitions.map(({ writer }) => writer))
  return `${count} records of ${partitions.length} topics from ${writers.size} clients`
}

export async function checkConsuming(context: Context, open: OpenClient): Promise<void> {
  const { client } = open
  if (client.reads === null || context.written.length === 0) return
  for (const codec of codecs.filter((one) => client.reads!.codecs.includes(one)))
    await context.report.check(client, `consume, ${codec === 'none' ? 'uncompressed' : codec}`, () =>
      readAll(context, open, codec),
    )
  const compressed = context.written.find(
    ({ codec, expected }) => codec === 'zstd' && expected.timestamps === 'as written',
  )
  const source = compressed ?? context.written[0]!
  await context.report.check(client, 'consume from the middle of a batch', async () => {
    await read(open, source, { offset: 7 })
    await read(open, source, { offset: source.expected.records.length - 1 })
  })
  for (const mode of client.reads.modes)
    await context.report.check(client, `consume, ${mode}`, async () => {
      await read(open, source, { offset: -2, mode })
    })
}
