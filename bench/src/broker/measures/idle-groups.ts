// Memory of each of many groups with a member and ten committed offsets that now do nothing.
import { setTimeout as delay } from 'node:timers/promises'
import type { RunningBroker } from '@millrace/interop/brokers'
import { Connection } from '../../wire/connection.ts'
import { commitOffsets } from '../../wire/offset-requests.ts'
import { createTopics } from '../../wire/requests.ts'
import { liveHeapBytes } from '../java-heap.ts'
import { soleMember } from '../groups/sole-member.ts'
import type { Measure } from '../measure.ts'
import { residentBytes } from '../process-usage.ts'

const topic = 'idle'
const partitions = 10
const connectionCount = 16
/** What the first groups cost besides themselves, code and buffers, is not the groups'. */
const warmUpShare = 0.1
const properties = { 'group.initial.rebalance.delay.ms': '0' }

export const idleGroups: Measure = {
  name: 'groups/idle',
  figures: [
    { key: 'kibPerGroup', title: 'memory of each of 10,000 idle groups (Kafka: live heap)', target: null, unit: 'KiB' },
    { key: 'createMs', title: '10,000 groups of one member: time to make them', target: null, unit: 'ms' },
  ],
  run: async (kind, environment) => {
    const { sizes } = environment
    const broker = await environment.start(kind, properties)
    await broker.ready()
    {
      using connection = await Connection.open(broker)
      await createTopics(connection, [{ name: topic, partitions }])
    }
    // The heap of Apache Kafka's process is touched before the groups come: only a full collection tells what they hold.
    const memory = () => (kind.name === 'apache' ? liveHeapBytes(broker.pid) : residentBytes(broker.pid))
    await makeGroups(broker, 'warm-up', Math.ceil(sizes.idleGroups * warmUpShare))
    await delay(sizes.settleMs)
    const before = await memory()
    const startedMs = performance.now()
    await makeGroups(broker, 'idle', sizes.idleGroups)
    const createMs = performance.now() - startedMs
    await delay(sizes.settleMs)
    return { kibPerGroup: ((await memory()) - before) / 1024 / sizes.idleGroups, createMs }
  },
}

async function makeGroups(broker: RunningBroker, name: string, count: number): Promise<void> {
  const offsets = new Map(Array.from({ length: partitions }, (_, partition) => [partition, 0n]))
  let next = 0
  const makeSome = async () => {
    using connection = await Connection.open(broker)
    while (next < count) {
      const member = await soleMember(connection, `${name}-${next++}`, [topic])
      const errorCode = await commitOffsets(connection, member, [{ topic, offsets }])
      if (errorCode !== 0) throw new Error(`OffsetCommit: error ${errorCode}`)
    }
  }
  await Promise.all(Array.from({ length: connectionCount }, makeSome))
}
