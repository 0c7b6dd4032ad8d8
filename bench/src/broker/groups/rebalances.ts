// The life of one group: many members join at once, some leave, then the rest.
import { setTimeout as delay } from 'node:timers/promises'
import type { RunningBroker } from '@millrace/interop/brokers'
import { Connection, type Endpoint } from '../../wire/connection.ts'
import { findCoordinator } from '../../wire/group-requests.ts'
import { cpuSeconds } from '../process-usage.ts'
import { untilCoordinated } from './coordinator-errors.ts'
import type { GroupMember, OpenMember } from './group-member.ts'
import { HeartbeatPace } from './heartbeat-pace.ts'
import { Ownership } from './ownership.ts'
import type { TopicGrid } from './topic-grid.ts'

const members = 100
const leavers = 10
/** Between being settled and the first that leaves: nobody hurries any more, and every usual heartbeat is still ahead. */
const restMs = 500

export interface Rebalances {
  readonly joinMs: number
  readonly joinCpu: number
  readonly leaveMs: number
  readonly leaveCpu: number
}

export async function rebalanceOnce(
  broker: RunningBroker,
  group: string,
  grid: TopicGrid,
  openMember: OpenMember,
): Promise<Rebalances> {
  await coordinatorOf(broker, group)
  const ownership = new Ownership(grid)
  const pace = new HeartbeatPace()
  using open = new DisposableStack()
  const all: GroupMember[] = []
  for (let i = 0; i < members; i++) all.push(open.use(await openMember(broker, { group, grid, ownership, pace })))
  let running: Promise<void>[] = []
  const join = await measured(broker, () => {
    running = all.map((member) => member.run())
    return settledOrFailed(ownership, members, running)
  })
  pace.calmDown()
  await delay(restMs)
  const leave = await measured(broker, () => {
    for (const member of all.slice(0, leavers)) member.leave()
    return settledOrFailed(ownership, members - leavers, running)
  })
  for (const member of all) member.leave()
  await Promise.all(running)
  return { joinMs: join.ms, joinCpu: join.cpu, leaveMs: leave.ms, leaveCpu: leave.cpu }
}

async function coordinatorOf(endpoint: Endpoint, group: string): Promise<void> {
  using connection = await Connection.open(endpoint)
  await untilCoordinated('FindCoordinator', () => findCoordinator(connection, group))
}

/** A member that fails ends the wait: the others may never settle. */
function settledOrFailed(ownership: Ownership, count: number, running: readonly Promise<void>[]): Promise<number> {
  const settled = ownership.settledAmong(count)
  const failed = Promise.all(running).then(() => new Promise<never>(() => {}))
  return Promise.race([settled, failed])
}

async function measured(broker: RunningBroker, act: () => Promise<number>): Promise<{ ms: number; cpu: number }> {
  const cpuBefore = cpuSeconds(broker.pid)
  const startedMs = performance.now()
  const ms = (await act()) - startedMs
  return { ms, cpu: cpuSeconds(broker.pid) - cpuBefore }
}
