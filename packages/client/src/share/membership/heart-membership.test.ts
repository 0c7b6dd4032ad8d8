import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ErrorCode } from '@millrace/protocol'
import type { Cluster } from '../../cluster/cluster.ts'
import type { HeartListener } from '../../groups/heartbeats/heart.ts'
import { Metrics } from '../../observe/metrics.ts'
import { realWorld } from '../../world.ts'
import type { ShareConsumerSettings } from '../options.ts'
import { HeartMembership } from './heart-membership.ts'
import { ShareGroupMetrics } from './share-group-metrics.ts'

/** A membership whose heart does nothing but note what it is told; `leaving` is what becomes of a farewell. */
function membership(leaving: () => Promise<void>) {
  const told: string[] = []
  let tell: HeartListener = () => {}
  const world = realWorld()
  const member = new HeartMembership({
    metrics: new ShareGroupMetrics(new Metrics(world.clock, {}), world.clock),
    cluster: { world, settings: {} } as unknown as Cluster,
    settings: { groupId: 'g', clientRack: '', maxPollIntervalMs: 60_000 } as ShareConsumerSettings,
    owner: { subscription: ['t'], assigned() {}, troubled() {}, failed() {} },
    heartbeats: {
      open: ({ listener }) => {
        tell = listener
        return {
          beat: () => void told.push('beat'),
          update() {},
          stop: () => void told.push('stop'),
          leave: () => {
            told.push('leave')
            return leaving()
          },
          async [Symbol.asyncDispose]() {},
        }
      },
    },
  })
  return { member, told, tell: (event: Parameters<HeartListener>[0]) => tell(event) }
}

const { signal } = new AbortController()

test('leaving ends with its signal, whatever the coordinator does', async () => {
  const { member, tell } = membership(() => new Promise(() => {}))
  member.join()
  tell({ kind: 'epoch', memberId: member.memberId, memberEpoch: 1, assignment: null })
  const late = new AbortController()
  const left = member.leave({ signal: late.signal })
  const reason = new Error('time is over')
  late.abort(reason)
  await assert.rejects(left, reason)
})

test('who leaves before the coordinator has answered leaves all the same: it may have the member', async () => {
  const { member, told } = membership(() => Promise.resolve())
  member.join()
  await member.leave({ signal })
  assert.deepEqual(told, ['beat', 'leave'])
})

test('who was refused has nothing to leave', async () => {
  const { member, told, tell } = membership(() => Promise.resolve())
  member.join()
  tell({ kind: 'refused', code: ErrorCode.GROUP_AUTHORIZATION_FAILED, message: 'no' })
  await member.leave({ signal })
  assert.deepEqual(told, ['beat', 'stop'])
})
