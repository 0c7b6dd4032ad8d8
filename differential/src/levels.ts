/** The brokers with features at lower levels than they could have: what each level changes is compared once more. */
import {
  ApiVersions,
  ConsumerGroupDescribe,
  ConsumerGroupHeartbeat,
  ShareAcknowledge,
  ShareFetch,
  ShareGroupDescribe,
  ShareGroupHeartbeat,
  UpdateFeatures,
} from '@millrace/protocol'
import type { Scenario } from './scenario.ts'
import { transactions } from './scenarios/index.ts'
import type { World } from './world.ts'

export interface Level {
  readonly feature: string
  readonly level: number
  readonly usual: number
  readonly scenarios: readonly Scenario[]
}

const unsafeDowngrade = 3
const upgrade = 1

export const levels: readonly Level[] = [
  { feature: 'transaction.version', level: 1, usual: 2, scenarios: transactions },
  {
    feature: 'transaction.version',
    level: 0,
    usual: 2,
    scenarios: transactions.filter((one) => one.usesNewTransactions !== true),
  },
  {
    feature: 'group.version',
    level: 0,
    usual: 1,
    scenarios: [
      {
        name: 'the consumer protocol is refused where the cluster does not have it',
        needs: [ConsumerGroupHeartbeat],
        async run(world) {
          const client = await world.client('one')
          const join = { memberId: 'm', rebalanceTimeoutMs: 1000, subscribedTopicNames: ['t'], topicPartitions: [] }
          for (const groupId of ['', world.name('group')])
            for (const memberEpoch of [0, 1, -1, -3])
              for (const version of world.versions(ConsumerGroupHeartbeat))
                await client.ask(ConsumerGroupHeartbeat, version, { ...join, groupId, memberEpoch })
          for (const version of world.versions(ConsumerGroupDescribe))
            await client.ask(ConsumerGroupDescribe, version, {
              groupIds: [world.name('group'), ''],
              includeAuthorizedOperations: true,
            })
        },
      },
    ],
  },
  {
    feature: 'share.version',
    level: 0,
    usual: 1,
    scenarios: [
      {
        name: 'share groups are refused where the cluster does not have them',
        needs: [ShareGroupHeartbeat],
        async run(world) {
          const client = await world.client('one')
          const groupId = world.name('group')
          for (const memberEpoch of [0, 1, -1])
            await client.ask(ShareGroupHeartbeat, 1, {
              groupId,
              memberId: 'm',
              memberEpoch,
              subscribedTopicNames: ['t'],
            })
          await client.ask(ShareGroupDescribe, 1, { groupIds: [groupId, ''], includeAuthorizedOperations: false })
          const session = { groupId, memberId: 'm', shareSessionEpoch: 0, topics: [] }
          for (const version of world.versions(ShareFetch))
            await client.ask(ShareFetch, version, {
              ...session,
              maxWaitMs: 0,
              minBytes: 0,
              maxRecords: 1,
              batchSize: 1,
              shareAcquireMode: 0,
              isRenewAck: false,
              forgottenTopicsData: [],
            })
          for (const version of world.versions(ShareAcknowledge))
            await client.ask(ShareAcknowledge, version, { ...session, isRenewAck: false })
        },
      },
    ],
  },
]

/** Brings the feature to a level on both brokers, and waits until both say so. */
export async function finalize(world: World, feature: string, level: number, isUsual: boolean): Promise<void> {
  const client = await world.client('upgrader')
  await client.ask(UpdateFeatures, 1, {
    timeoutMs: 10_000,
    validateOnly: false,
    featureUpdates: [{ feature, maxVersionLevel: level, upgradeType: isUsual ? upgrade : unsafeDowngrade }],
  })
  await client.askUntil(
    ApiVersions,
    4,
    { clientSoftwareName: 'differential', clientSoftwareVersion: '1.0' },
    ({ finalizedFeatures }) => (finalizedFeatures.find(({ name }) => name === feature)?.maxVersionLevel ?? 0) === level,
  )
}
