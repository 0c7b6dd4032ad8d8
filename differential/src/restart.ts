/** What both brokers know again after they were stopped and started: groups, offsets, transactions, producers, share groups. */
import {
  ConsumerGroupHeartbeat,
  DescribeGroups,
  EndTxn,
  Heartbeat,
  InitProducerId,
  ListGroups,
  OffsetCommit,
  OffsetFetch,
} from '@millrace/protocol'
import type { Scenario } from './scenario.ts'
import { describe, stableGroup } from './scenarios/classic-groups.ts'
import { join, reconcile, show } from './scenarios/consumer-members.ts'
import { commitRequest, fetchRequest } from './scenarios/offsets.ts'
import { show as showShare } from './scenarios/share-members.ts'
import { readyGroup, showOffsets } from './scenarios/sharer.ts'
import {
  endTransaction,
  look,
  openProducer,
  produce,
  produceIn,
  untilEnded,
} from './scenarios/transactional-producer.ts'

/** `restart` stops and starts both, and resolves when both coordinate again. */
export function restartScenario(restart: () => Promise<void>): Scenario {
  return {
    name: 'both brokers are stopped and started again',
    recordsDiffer: 'the end of sessions after the start is written when their time is up',
    async run(world) {
      const topic = await world.topic('topic', 2)
      const client = await world.client('client')
      const classic = world.name('classic')
      const { memberId, generationId } = await stableGroup(world, classic, { groupInstanceId: 'i1' })
      await client.ask(
        OffsetCommit,
        8,
        commitRequest(
          { groupId: classic, memberId, generationIdOrMemberEpoch: generationId, groupInstanceId: 'i1' },
          topic,
          {
            0: 5n,
            1: 6n,
          },
        ),
      )
      const simple = world.name('simple')
      const nobody = { memberId: '', generationIdOrMemberEpoch: -1 }
      await client.ask(OffsetCommit, 9, commitRequest({ groupId: simple, ...nobody }, topic, { 0: 7n }))
      const consumer = world.name('consumer')
      const m1 = await reconcile(world, consumer, await join(world, consumer, 'm1', [topic]))
      await join(world, consumer, 'm2', [topic], { instanceId: 'i2' })
      const share = world.name('share')
      const shared = await world.topic('shared', 1)
      await produce(client, { topic: shared, values: ['a', 'b', 'c'] })
      const [sharer] = await readyGroup(world, share, shared, 's1')
      await sharer!.fetch()
      await sharer!.acknowledge([{ firstOffset: 0n, lastOffset: 1n, acknowledgeTypes: [1, 2] }])
      const open = await openProducer(client, world.name('open'))
      await produceIn(client, open, topic)
      let ended = await openProducer(client, world.name('ended'))
      await produceIn(client, ended, topic, 0, 13, 1)
      ended = await endTransaction(client, ended, true)
      await untilEnded(world, ended.transactionalId)

      world.end()
      await restart()

      const again = await world.client('again')
      await describe(world, classic, simple)
      await show(world, consumer)
      await showShare(world, share)
      await showOffsets(world, share, shared)
      for (const groupId of [classic, simple, consumer])
        await again.ask(OffsetFetch, 9, fetchRequest(groupId, null, { requireStable: true }))
      await again.ask(ListGroups, 5, { statesFilter: [], typesFilter: [] })
      await again.ask(DescribeGroups, 6, { groups: [classic], includeAuthorizedOperations: false })
      await again.ask(Heartbeat, 4, { groupId: classic, memberId, generationId, groupInstanceId: 'i1' })
      await again.ask(ConsumerGroupHeartbeat, 1, { groupId: consumer, memberId: 'm1', memberEpoch: m1.memberEpoch })
      await look(world, open.transactionalId, topic)
      await look(world, ended.transactionalId, topic)
      await produceIn(again, open, topic, 1)
      await produceIn(again, ended, topic, 0, 13, 1)
      await endTransaction(again, open, true)
      await endTransaction(again, ended, false)
      for (const one of [open, ended]) await untilEnded(world, one.transactionalId)
      await look(world, open.transactionalId, topic)
      await look(world, ended.transactionalId, topic)
      await again.ask(EndTxn, 5, { ...open, committed: true })
      await again.ask(InitProducerId, 5, { transactionalId: open.transactionalId, transactionTimeoutMs: 60_000 })
      await look(world, open.transactionalId, topic)
    },
  }
}
