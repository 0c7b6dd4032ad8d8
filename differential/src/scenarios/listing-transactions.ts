/** Transactions and producers, listed and described. */
import { DescribeProducers, DescribeTransactions, ListTransactions } from '@millrace/protocol'
import type { Scenario } from '../scenario.ts'
import { endTransaction, openProducer, produceIn, untilEnded } from './transactional-producer.ts'

export const listingTransactions: readonly Scenario[] = [
  {
    name: 'transactions are listed by state, producer, duration and pattern, in every version',
    usesNewTransactions: true,
    async run(world) {
      const topic = await world.topic('topic')
      const client = await world.client('producer')
      const ongoing = await openProducer(client, world.name('ongoing'))
      await produceIn(client, ongoing, topic)
      const committed = await openProducer(client, world.name('committed'))
      await produceIn(client, committed, topic)
      await endTransaction(client, committed, true)
      await untilEnded(world, committed.transactionalId)
      const empty = await openProducer(client, world.name('empty'))
      for (const version of world.versions(ListTransactions)) {
        const list = (change: object) =>
          client.ask(ListTransactions, version, {
            stateFilters: [],
            producerIdFilters: [],
            transactionalIdPattern: `${world.name('')}.*`,
            ...change,
          })
        await list({})
        for (const state of [
          'Empty',
          'Ongoing',
          'PrepareCommit',
          'CompleteCommit',
          'Dead',
          'PrepareEpochFence',
          'ongoing',
          'nonsense',
        ])
          await list({ stateFilters: [state] })
        await list({ stateFilters: ['Ongoing', 'Empty', 'x', 'y'] })
        await list({ producerIdFilters: [ongoing.producerId, empty.producerId] })
        await list({ producerIdFilters: [777_777n] })
        await list({ stateFilters: ['Empty'], producerIdFilters: [ongoing.producerId] })
        if (version >= 1) {
          await list({ durationFilter: 0n })
          await list({ durationFilter: 3_600_000n })
          await list({ durationFilter: -5n })
        }
        if (version < 2) continue
        await list({ transactionalIdPattern: '' })
        await list({ transactionalIdPattern: world.name('o.*g') })
        await list({ transactionalIdPattern: 'ongoing' })
        await list({ transactionalIdPattern: '(' })
        await list({ transactionalIdPattern: '(?=x)' })
      }
      await client.ask(DescribeTransactions, 0, { transactionalIds: [] })
      await client.ask(DescribeTransactions, 0, {
        transactionalIds: ['', world.name('missing'), world.name('ongoing')],
      })
      await client.ask(DescribeProducers, 0, {
        topics: [
          { name: topic.name, partitionIndexes: [0, 1, 7] },
          { name: world.name('missing'), partitionIndexes: [0] },
          { name: 'a/b', partitionIndexes: [0] },
          { name: topic.name, partitionIndexes: [] },
        ],
      })
    },
  },
]
