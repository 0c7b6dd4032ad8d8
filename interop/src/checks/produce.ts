// Every client writes the corpus with every codec and in each of its own ways.
import { setTimeout as delay } from 'node:timers/promises'
import type { Codec } from '../clients/foreign-client.ts'
import { corpus, lines } from '../corpus.ts'
import { expectEqual } from '../expect.ts'
import { eventually } from './eventually.ts'
import { toJob, topicPart, type Context, type OpenClient } from './context.ts'

export async function checkProducing(context: Context, open: OpenClient): Promise<void> {
  const { writes } = open.client
  for (const codec of writes.codecs) await checkOne(context, open, codec, null)
  for (const mode of writes.modes) await checkOne(context, open, 'none', mode)
}

async function checkOne(context: Context, { client, session }: OpenClient, codec: Codec, mode: string | null) {
  const what = `produce, ${mode === null ? (codec === 'none' ? 'uncompressed' : codec) : mode}`
  await context.report.check(client, what, async () => {
    const topic = `from-${topicPart(client.name)}-${mode ?? codec}`
    const createsTopics = client.operations.includes('createTopic')
    // Without topic creation of its own, the client relies on auto-creation and one partition.
    const partition = createsTopics ? 1 : 0
    if (createsTopics) {
      await session.call('createTopic', { topic, partitions: 2, set: { 'max.message.bytes': '2000000' } })
      await eventually(async () => expectEqual(await session.call('describeTopic', { topic }), 2, 'partitions'))
    }
    const fromMs = Date.now()
    const isCorpus = client.writes.records === 'corpus'
    const records = isCorpus ? corpus(context.corpusStartMs, client.writes.limits) : lines()
    const answer = await session.call('produce', {
      topic,
      partition,
      codec,
      mode: mode ?? '',
      records: records.map(toJob),
    })
    const { offsets } = (answer ?? { offsets: null }) as { offsets: number[] | null }
    const isAcknowledged = mode !== 'acks0'
    if (isAcknowledged && offsets !== null)
      expectEqual(offsets, offsets.length === 1 ? [0] : records.map((_, i) => i), 'acknowledged offsets')
    if (client.operations.includes('offsets')) {
      const end = () => session.call('offsets', { topic, partition, at: -1 })
      for (let tries = 0; !isAcknowledged && (await end()) !== records.length && tries < 100; tries++) await delay(20)
      expectEqual(await end(), records.length, 'end offset')
    }
    const timestamps = isCorpus ? 'as written' : { fromMs }
    const expected = { records, firstOffset: 0, timestamps } as const
    context.written.push({ writer: client.name, topic, partition, codec, expected })
    return `${records.length} records`
  })
}
