// OffsetCommit of one partition by the one member of a group, one after the other, 2,000 a second at most: broker CPU of each.
import { setTimeout as delay } from 'node:timers/promises'
import { Connection } from '../../wire/connection.ts'
import { commitOffsets } from '../../wire/offset-requests.ts'
import { createTopics } from '../../wire/requests.ts'
import { soleMember } from '../groups/sole-member.ts'
import type { Measure } from '../measure.ts'
import { cpuSeconds } from '../process-usage.ts'

const topic = 'committed'
const commitsPerSecond = 2000
const warmUpShare = 1 / 3

export const groupCommits: Measure = {
  name: 'groups/commit',
  figures: [
    { key: 'cpuMs', title: 'OffsetCommit, one after the other: broker CPU of each', target: 1 / 4, unit: 'CPU-ms' },
    { key: 'ms', title: 'OffsetCommit, one after the other: time of each', target: null, unit: 'ms' },
  ],
  run: async (kind, environment) => {
    const broker = await environment.start(kind)
    await broker.ready()
    using connection = await Connection.open(broker)
    await createTopics(connection, [{ name: topic, partitions: 1 }])
    const member = await soleMember(connection, 'committing', [topic])
    const { commits } = environment.sizes
    await commitPaced(connection, member, Math.ceil(commits * warmUpShare))
    const before = cpuSeconds(broker.pid)
    const ms = await commitPaced(connection, member, commits)
    return { cpuMs: ((cpuSeconds(broker.pid) - before) * 1000) / commits, ms }
  },
}

/** Returns the mean time from a request to its answer, in ms. */
async function commitPaced(
  connection: Connection,
  member: Parameters<typeof commitOffsets>[1],
  commits: number,
): Promise<number> {
  const startedMs = performance.now()
  let waitedMs = 0
  for (let offset = 0; offset < commits; offset++) {
    // Timers are coarser than half a millisecond: commits that are late are made up for at once.
    const aheadMs = (offset * 1000) / commitsPerSecond - (performance.now() - startedMs)
    if (aheadMs >= 1) await delay(aheadMs)
    const askedMs = performance.now()
    const errorCode = await commitOffsets(connection, member, [{ topic, offsets: new Map([[0, BigInt(offset)]]) }])
    if (errorCode !== 0) throw new Error(`OffsetCommit: error ${errorCode}`)
    waitedMs += performance.now() - askedMs
  }
  return waitedMs / commits
}
