import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { CreatePartitions, CreateTopics, ErrorCode } from '@millrace/protocol'
import { startBroker } from 'millrace'
import { ClientContexts } from '../client-context.ts'
import { consumerOptions } from '../consumer/options.ts'
import { realWorld } from '../world.ts'
import type { HeartbeatHost } from './heartbeats/heart.ts'
import { sameLoopHost } from './heartbeats/same-loop-host.ts'
import { openMembership } from './open-membership.ts'
import { TestOwner } from './testing/test-owner.ts'

/** Rebalances without waiting, and sessions that end while a test waits. */
const brokerConfigs = {
  'group.min.session.timeout.ms': 100,
  'group.consumer.heartbeat.interval.ms': 50,
  'group.consumer.min.heartbeat.interval.ms': 50,
  'group.consumer.session.timeout.ms': 1000,
  'group.consumer.min.session.timeout.ms': 100,
}
const STAY = new AbortController().signal

interface Group {
  readonly bootstrapServers: string
  readonly create: (topic: string, partitions: number) => Promise<void>
  readonly grow: (topic: string, partitions: number) => Promise<void>
  readonly member: (
    name: string,
    options?: Record<string, unknown>,
    subscription?: readonly string[] | RegExp,
  ) => TestOwner
}

async function group(
  context: TestContext,
  shared: Record<string, unknown>,
  heartbeats: HeartbeatHost = sameLoopHost,
): Promise<Group> {
  const broker = await startBroker({ configs: brokerConfigs })
  context.after(() => broker.close())
  const contexts = new ClientContexts({ brokers: broker.bootstrapServers, retryBackoffMs: 10 }, realWorld())
  const { cluster } = contexts.open(consumerOptions, {}, 'test')
  context.after(() => cluster[Symbol.asyncDispose]())
  const members: TestOwner[] = []
  context.after(() => Promise.all(members.map(async ({ membership }) => membership?.[Symbol.asyncDispose]())))
  return {
    bootstrapServers: broker.bootstrapServers,
    async create(name, numPartitions) {
      const { topics } = await cluster.send('controller', CreateTopics, {
        topics: [{ name, numPartitions, replicationFactor: 1, assignments: [], configs: [] }],
        timeoutMs: 10_000,
      })
      assert.equal(topics[0]?.errorCode, ErrorCode.NONE)
    },
    async grow(name, count) {
      await cluster.send('controller', CreatePartitions, {
        topics: [{ name, count, assignments: null }],
        timeoutMs: 10_000,
        validateOnly: false,
      })
    },
    member(name, options = {}, subscription = ['orders']) {
      const { cluster: own, settings } = contexts.open(
        consumerOptions,
        { groupId: 'g', metadataMaxAgeMs: 200, heartbeatIntervalMs: 50, ...shared, ...options },
        'test',
      )
      context.after(() => own[Symbol.asyncDispose]())
      const owner = new TestOwner(name, subscription)
      owner.membership = openMembership({ cluster: own, settings: { ...settings, groupId: 'g' }, owner, heartbeats })
      members.push(owner)
      owner.membership.join()
      return owner
    },
  }
}

for (const groupProtocol of ['classic', 'consumer'] as const) {
  const options = { groupProtocol, ...(groupProtocol === 'consumer' ? {} : {}) }

  test(`${groupProtocol}: partitions are shared among members as they come and go`, async (context) => {
    const { create, member } = await group(context, options)
    await create('orders', 4)
    const first = member('first')
    await first.until(() => first.owned.length === 4)
    assert.match(first.membership!.metadata.memberId, /./)
    assert.ok(first.membership!.metadata.generationId > 0)
    const second = member('second')
    await Promise.all([first.until(() => first.owned.length === 2), second.until(() => second.owned.length === 2)])
    await second.membership!.leave({ leaveGroup: true, signal: STAY })
    assert.deepEqual(second.names, [])
    await first.until(() => first.owned.length === 4)
    await first.membership!.leave({ leaveGroup: true, signal: STAY })
    assert.equal(first.calls.at(-1)?.kind, 'revoked')
    assert.deepEqual([...first.errors, ...second.errors], [])
  })
}
