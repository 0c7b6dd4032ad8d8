import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Cluster } from '../../cluster/cluster.ts'
import type { HeartListener } from '../../groups/heartbeats/heart.ts'
import { Metrics } from '../../observe/metrics.ts'
import { realWorld } from '../../world.ts'
import { HeartMembership } from './heart-membership.ts'
import type { ShareConsumerSettings } from '../options.ts'
import { ShareGroupMetrics } from './share-group-metrics.ts'

test('leaving ends with its signal, whatever the coordinator does', async () => {
  let tell: HeartListener = () => {}
  const world = realWorld()
  const metrics = new ShareGroupMetrics(new Metrics(world.clock, {}), world.clock)
  const membership = new HeartMembership({
    metrics,
    cluster: { world, settings: {} } as unknown as Cluster,
    settings: { groupId: 'g', clientRack: '', maxPollIntervalMs: 60_000 } as ShareConsumerSettings,
    owner: { subscription: ['t'], assigned() {}, troubled() {}, failed() {} },
    heartbeats: {
      open: ({ listener }) => {
        tell = listener
        return {
          beat() {},
          update() {},
          stop() {},
          leave: () => new Promise(() => {}),
          async [Symbol.asyncDispose]() {},
        }
      },
    },
  })
  membership.join()
  tell({ kind: 'epoch', memberId: membership.memberId, memberEpoch: 1, assignment: null })
  const late = new AbortController()
  const left = membership.leave({ signal: late.signal })
  const reason = new Error('time is over')
  late.abort(reason)
  await assert.rejects(left, reason)
})
