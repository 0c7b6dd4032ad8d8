// Restart with a million committed offsets: until the coordinator answers for every group.
import { Connection, type Endpoint } from '../../wire/connection.ts'
import { findCoordinator } from '../../wire/group-requests.ts'
import { commitOffsets, committedOffset, nobody, type TopicOffsets } from '../../wire/offset-requests.ts'
import { createTopics } from '../../wire/requests.ts'
import { untilCoordinated } from '../groups/coordinator-errors.ts'
import { thousandPartitions, topicsOf } from '../groups/topic-grid.ts'
import type { Measure } from '../measure.ts'
import { cpuSeconds } from '../process-usage.ts'

const grid = thousandPartitions
const connectionCount = 4

const title = 'restart with a million committed offsets after SIGTERM'

export const coordinatorLoad: Measure = {
  name: 'groups/load',
  figures: [
    { key: 'restartMs', title: `${title}: until every group is answered`, target: null, unit: 'ms' },
    { key: 'loadMs', title: `${title}: of that after the first answer to ApiVersions`, target: null, unit: 'ms' },
    { key: 'loadCpu', title: `${title}: broker CPU of that`, target: null, unit: 'CPU-s' },
  ],
  run: async (kind, environment) => {
    const groups = Array.from({ length: environment.sizes.loadedOffsets / grid.count }, (_, i) => `loaded-${i}`)
    const broker = await environment.start(kind)
    await broker.ready()
    await commitAll(broker, groups)
    await broker.stop()

    const restarted = await environment.start(kind)
    await restarted.ready()
    const answeredMs = performance.now()
    const cpuBefore = cpuSeconds(restarted.pid)
    await untilAllAnswered(restarted, groups)
    const endMs = performance.now()
    return {
      restartMs: endMs - restarted.startedAtMs,
      loadMs: endMs - answeredMs,
      loadCpu: cpuSeconds(restarted.pid) - cpuBefore,
    }
  },
}

async function commitAll(endpoint: Endpoint, groups: readonly string[]): Promise<void> {
  const topics = grid.topics.map((topic): TopicOffsets => {
    const offsets = new Map(Array.from({ length: grid.partitionsPerTopic }, (_, partition) => [partition, 42n]))
    return { topic, offsets }
  })
  {
    using connection = await Connection.open(endpoint)
    await createTopics(connection, topicsOf(grid))
    await untilCoordinated('FindCoordinator', () => findCoordinator(connection, groups[0]!))
  }
  const left = groups.values()
  const commitSome = async () => {
    using connection = await Connection.open(endpoint)
    for (const group of left)
      await untilCoordinated('OffsetCommit', () => commitOffsets(connection, nobody(group), topics))
  }
  await Promise.all(Array.from({ length: connectionCount }, commitSome))
}

/** Every group, so every partition of the coordinator's topic. @throws Error when an offset is not there. */
async function untilAllAnswered(endpoint: Endpoint, groups: readonly string[]): Promise<void> {
  using connection = await Connection.open(endpoint)
  const last = { topic: grid.topics.at(-1)!, partition: grid.partitionsPerTopic - 1 }
  for (const group of groups)
    await untilCoordinated('OffsetFetch', async () => {
      const { errorCode, offset } = await committedOffset(connection, group, last)
      if (errorCode === 0 && offset !== 42n) throw new Error(`${group}: offset ${offset} is not what was committed`)
      return errorCode
    })
}
