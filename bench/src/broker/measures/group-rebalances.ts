// 100 members over 1,000 partitions: time and CPU from the first join until every member has its share, and again after ten have left.
import { setTimeout as delay } from 'node:timers/promises'
import { Connection } from '../../wire/connection.ts'
import { createTopics } from '../../wire/requests.ts'
import { openClassicMember } from '../groups/classic-member.ts'
import { openConsumerMember } from '../groups/consumer-member.ts'
import type { OpenMember } from '../groups/group-member.ts'
import { rebalanceOnce, type Rebalances } from '../groups/rebalances.ts'
import { thousandPartitions, topicsOf } from '../groups/topic-grid.ts'
import type { Measure } from '../measure.ts'
import { median } from '../summary.ts'

/** Otherwise a new classic group waits three seconds for more members, whoever serves it. */
const properties = { 'group.initial.rebalance.delay.ms': '0' }

/** Whoever serves them, most of the time passes until members heartbeat next, and in KIP-848 groups until the second assignment is due. */
const noSlower = 1.05

function rebalancesOf(protocol: string, openMember: OpenMember): Measure {
  const title = `100 members over 1,000 partitions, ${protocol}`
  return {
    name: `groups/${protocol}`,
    figures: [
      {
        key: 'firstJoinMs',
        title: `${title}: first join → stable, first group after a start`,
        target: noSlower,
        unit: 'ms',
      },
      { key: 'firstJoinCpu', title: `${title}: broker CPU of that`, target: 1 / 2, unit: 'CPU-s' },
      { key: 'joinMs', title: `${title}: first join → stable, later groups`, target: noSlower, unit: 'ms' },
      { key: 'joinCpu', title: `${title}: broker CPU of those`, target: 1 / 2, unit: 'CPU-s' },
      { key: 'leaveMs', title: `${title}: ten leave → stable`, target: noSlower, unit: 'ms' },
      { key: 'leaveCpu', title: `${title}: broker CPU after ten leave`, target: null, unit: 'CPU-s' },
    ],
    run: async (kind, environment) => {
      const grid = thousandPartitions
      const broker = await environment.start(kind, properties)
      await broker.ready()
      {
        using connection = await Connection.open(broker)
        await createTopics(connection, topicsOf(grid))
      }
      await delay(environment.sizes.settleMs)
      const first = await rebalanceOnce(broker, 'first', grid, openMember)
      const later: Rebalances[] = []
      for (let cycle = 0; cycle < environment.sizes.groupCycles; cycle++)
        later.push(await rebalanceOnce(broker, `later-${cycle}`, grid, openMember))
      const medianOf = (key: keyof Rebalances) => median(later.map((result) => result[key]))
      // The clock of the processes ticks every 10 ms: a mean is finer than that.
      const meanOf = (key: keyof Rebalances) => later.reduce((sum, result) => sum + result[key], 0) / later.length
      return {
        firstJoinMs: first.joinMs,
        firstJoinCpu: first.joinCpu,
        joinMs: medianOf('joinMs'),
        joinCpu: meanOf('joinCpu'),
        leaveMs: medianOf('leaveMs'),
        leaveCpu: meanOf('leaveCpu'),
      }
    },
  }
}

export const classicRebalances = rebalancesOf('classic', openClassicMember)
export const consumerRebalances = rebalancesOf('KIP-848', openConsumerMember)
