import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { ClientContexts } from '../client-context.ts'
import { realWorld } from '../world.ts'
import { ConsumerCore } from './consumer-core.ts'
import { KafkaConsumer } from './kafka-consumer.ts'
import type { Membership } from './membership.ts'
import { consumerOptions } from './options.ts'

test('a loop goes on with what is subscribed to while a subscription ends, in one membership, however often that was asked for', async () => {
  const leaving = Promise.withResolvers<void>()
  const opened: Membership[] = []
  const openMembership = (): Membership => {
    const membership: Membership = {
      metadata: { groupId: 'g', generationId: 1, memberId: 'm', groupInstanceId: null },
      subscribedTopics: [],
      join() {},
      subscriptionChanged() {},
      polled() {},
      waiting() {},
      handling() {},
      enforceRebalance() {},
      commitRefused() {},
      leave: () => leaving.promise,
      [Symbol.asyncDispose]: async () => {},
    }
    opened.push(membership)
    return membership
  }
  const context = new ClientContexts({ brokers: '127.0.0.1:1', enableMetricsPush: false }, realWorld()).open(
    consumerOptions,
    { groupId: 'g', topics: ['t'] },
    'test',
  )
  const core = new ConsumerCore<Uint8Array, Uint8Array>({
    context,
    deserializers: { key: null, value: null },
    openMembership,
  })
  await using consumer = new KafkaConsumer({ core, metrics: () => [], run: async () => {} })
  const end = new AbortController()
  const reading = consumer.records({ signal: end.signal })[Symbol.asyncIterator]().next()
  while (opened.length < 1) await nextTurn()
  const ended = [consumer.unsubscribe(), consumer.unsubscribe()]
  consumer.subscribe(['t'])
  // The loop is asleep again.
  await nextTurn()
  leaving.resolve()
  await Promise.all(ended)
  await nextTurn()
  assert.equal(opened.length, 2)
  assert.equal(core.membership, opened[1])
  end.abort()
  assert.equal((await reading).done, true)
})
