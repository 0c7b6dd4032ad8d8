/** Offsets that are committed in transactions. */
import { AddOffsetsToTxn, DescribeTransactions, OffsetFetch, TxnOffsetCommit } from '@millrace/protocol'
import type { Scenario } from '../scenario.ts'
import { describe, stableGroup } from './classic-groups.ts'
import { fetchRequest } from './offsets.ts'
import { endTransaction, openProducer, untilEnded } from './transactional-producer.ts'

export const transactionalOffsets: readonly Scenario[] = [
  {
    name: 'offsets in transactions: pending, committed, aborted, refused',
    usesNewTransactions: true,
    async run(world) {
      const topic = await world.topic('topic')
      const client = await world.client('producer')
      const fetcher = await world.client('fetcher')
      const see = async (groupId: string) => {
        const topics = [{ name: topic.name, topicId: topic.id, partitionIndexes: [0, 1] }]
        for (const requireStable of [false, true])
          for (const version of [7, 9])
            await fetcher.ask(OffsetFetch, version, fetchRequest(groupId, topics, { requireStable }))
      }
      for (const version of world.versions(TxnOffsetCommit)) {
        const transactionalId = world.name(`v${version}`)
        const groupId = world.name(`group-v${version}`)
        const members = world.name(`members-v${version}`)
        const { memberId, generationId } = await stableGroup(world, members)
        let producer = await openProducer(client, transactionalId)
        const isNew = version >= 5
        const commit = (change: object, partitions: number[] = [0]) =>
          client.ask(TxnOffsetCommit, version, {
            ...producer,
            groupId,
            memberId: '',
            generationIdOrMemberEpoch: -1,
            topics: [
              {
                name: topic.name,
                partitions: partitions.map((partitionIndex) => ({
                  partitionIndex,
                  committedOffset: 5n,
                  committedLeaderEpoch: 1,
                  committedMetadata: 'm',
                })),
              },
            ],
            ...change,
          })
        for (const committed of [true, false]) {
          if (!isNew) {
            await commit({})
            for (const one of world.versions(AddOffsetsToTxn)) {
              await client.ask(AddOffsetsToTxn, one, { ...producer, groupId })
              await client.ask(AddOffsetsToTxn, one, { ...producer, groupId: '' })
              await client.ask(AddOffsetsToTxn, one, { ...producer, transactionalId: '', groupId })
              await client.ask(AddOffsetsToTxn, one, { ...producer, transactionalId: world.name('missing'), groupId })
              await client.ask(AddOffsetsToTxn, one, { ...producer, producerId: 777_777n, groupId })
              await client.ask(AddOffsetsToTxn, one, { ...producer, producerEpoch: 9, groupId })
              await client.ask(AddOffsetsToTxn, one, { ...producer, groupId: members })
            }
          }
          await commit({}, [0, 1, 9])
          await commit({ groupId: '' })
          await commit({ topics: [] })
          await commit({ transactionalId: world.name('missing') })
          await commit({ producerEpoch: 9 })
          await commit({ producerEpoch: -1 })
          await commit({ producerId: 777_777n })
          await commit({ memberId: 'unknown', generationIdOrMemberEpoch: 3 })
          await commit({ groupId: members })
          await commit({ groupId: members, memberId, generationIdOrMemberEpoch: generationId })
          await commit({ groupId: members, memberId, generationIdOrMemberEpoch: 9 })
          await commit({ groupId: members, memberId: 'unknown', generationIdOrMemberEpoch: generationId })
          await commit({ groupId: members, memberId, generationIdOrMemberEpoch: generationId, groupInstanceId: 'x' })
          const long = { partitionIndex: 0, committedOffset: 1n, committedMetadata: 'x'.repeat(5000) }
          await commit({
            topics: [
              { name: topic.name, partitions: [long] },
              { name: world.name('missing'), partitions: [long] },
            ],
          })
          const looker = await world.client('looker')
          await looker.ask(DescribeTransactions, 0, { transactionalIds: [transactionalId] })
          await see(groupId)
          await see(members)
          const before = producer
          producer = await endTransaction(client, producer, committed, isNew ? 5 : 3)
          await untilEnded(world, transactionalId)
          await see(groupId)
          await see(members)
          await commit({ ...before })
          await looker.ask(DescribeTransactions, 0, { transactionalIds: [transactionalId] })
        }
        await describe(world, groupId, members)
      }
    },
  },
]
