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
/** Apache Kafka's own figure moves by a factor of three between these and those after tens of thousands. */
const firstCommits = 5000

const title = 'OffsetCommit, one after the other'

export const groupCommits: Measure = {
  name: 'groups/commit',
  figures: [
    {
      key: 'firstCpuMs',
      title: `${title}: broker CPU of each, first 5,000 after a start`,
      target: 1 / 4,
      unit: 'CPU-ms',
    },
    { key: 'cpuMs', title: `${title}: broker CPU of each, later ones`, target: 1 / 4, unit: 'CPU-ms' },
    { key: 'ms', title: `${title}: time of each, later ones`, target: null, unit: 'ms' },
  ],
  run: async (kind, environment) => {
    const broker = await environment.start(kind)
    await broker.ready()
    using connection = await Connection.open(broker)
    await createTopics(connection, [{ name: topic, partitions: 1 }])
    const member = await soleMember(connection, 'committing', [topic])
    await delay(environment.sizes.settleMs)
    const measured = async (commits: number) => {
      const before = cpuSeconds(broker.pid)
      const ms = await commitPaced(connection, member, commits)
      return { ms, cpuMs: ((cpuSeconds(broker.pid) - before) * 1000) / commits }
    }
    const first = await measured(firstCommits)
    return { firstCpuMs: first.cpuMs, ...(await measured(environment.sizes.commits)) }
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
