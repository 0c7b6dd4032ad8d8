// Making many partitions, and putting a record into each.
import { setTimeout as delay } from 'node:timers/promises'
import { Connection, type Endpoint } from '../wire/connection.ts'
import { singleRecordBatch } from '../wire/record-batch.ts'
import { createTopics, metadata, produce } from '../wire/requests.ts'
import type { Sizes } from './measure.ts'

const topicsPerRequest = 5
const pollMs = 20

const names = ({ topics }: Sizes) => Array.from({ length: topics }, (_, i) => `many-${i}`)

/** Creates all topics, five a request, and waits until every partition has a leader in Metadata. */
export async function createManyPartitions(endpoint: Endpoint, sizes: Sizes): Promise<void> {
  using connection = await Connection.open(endpoint)
  const topics = names(sizes).map((name) => ({ name, partitions: sizes.partitionsPerTopic }))
  for (let i = 0; i < topics.length; i += topicsPerRequest)
    await createTopics(connection, topics.slice(i, i + topicsPerRequest))
  await allLed(connection, sizes)
}

async function allLed(connection: Connection, sizes: Sizes): Promise<void> {
  for (;;) {
    const listings = (await metadata(connection, null)).filter(({ name }) => name.startsWith('many-'))
    const led = listings.flatMap(({ leaders }) => leaders).filter((leader) => leader >= 0).length
    if (led === sizes.topics * sizes.partitionsPerTopic) return
    await delay(pollMs)
  }
}

/** One record into every partition, a topic a request. @throws Error when one is refused. */
export async function produceToAll(endpoint: Endpoint, sizes: Sizes): Promise<void> {
  using connection = await Connection.open(endpoint)
  const records = singleRecordBatch(Buffer.alloc(100, 'x'))
  for (const topic of names(sizes)) {
    const batches = Array.from({ length: sizes.partitionsPerTopic }, (_, partition) => ({ topic, partition, records }))
    const refused = (await produce(connection, batches)).find((errorCode) => errorCode !== 0)
    if (refused !== undefined) throw new Error(`a record of ${topic} was refused with ${refused}`)
  }
}
