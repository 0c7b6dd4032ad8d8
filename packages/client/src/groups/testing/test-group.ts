/** A group at a real broker, and members of it that a test plays the application of. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { Worker } from 'node:worker_threads'
import { CreatePartitions, CreateTopics, ErrorCode, LeaveGroup } from '@millrace/protocol'
import { startBroker } from 'millrace'
import { ClientContexts } from '../../client-context.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import { consumerOptions } from '../../consumer/options.ts'
import { realWorld } from '../../world.ts'
import type { HeartbeatHost } from '../heartbeats/heart.ts'
import { sameLoopHost } from '../heartbeats/same-loop-host.ts'
import { openMembership } from '../open-membership.ts'
import { TestOwner } from './test-owner.ts'

export const GROUP_ID = 'billing'

/** Rebalances without waiting, and sessions that end while a test waits. */
const brokerConfigs = {
  'group.min.session.timeout.ms': 100,
  'group.consumer.assignment.interval.ms': 0,
  'group.consumer.min.heartbeat.interval.ms': 50,
  'group.consumer.heartbeat.interval.ms': 50,
  'group.consumer.min.session.timeout.ms': 100,
  'group.consumer.session.timeout.ms': 3000,
}

export interface TestGroup {
  readonly cluster: Cluster
  readonly create: (topic: string, partitions: number) => Promise<void>
  readonly grow: (topic: string, partitions: number) => Promise<void>
  /** As an administrator removes a member. */
  readonly remove: (memberId: string) => Promise<void>
  readonly stopBroker: () => Promise<void>
  /** A member that has begun to join, for an application that waits for records. */
  readonly member: (
    name: string,
    options?: Record<string, unknown>,
    subscription?: readonly string[] | RegExp,
  ) => TestOwner
}

export interface TestGroupOptions {
  readonly heartbeats?: HeartbeatHost
  /** A broker that goes on when the test burns CPU. */
  readonly brokerInWorker?: boolean
  readonly brokerConfigs?: Readonly<Record<string, number | string>>
  /** Of all members. */
  readonly options?: Record<string, unknown>
}

export async function testGroup(context: TestContext, given: TestGroupOptions = {}): Promise<TestGroup> {
  const { heartbeats = sameLoopHost } = given
  const configs = { ...brokerConfigs, ...given.brokerConfigs }
  const running = given.brokerInWorker === true ? await workerBroker(configs) : await broker(configs)
  context.after(() => running.close())
  const contexts = new ClientContexts(
    { brokers: running.brokers, retryBackoffMs: 10, retryBackoffMaxMs: 100 },
    realWorld(),
  )
  const { cluster } = contexts.open(consumerOptions, {}, 'test')
  context.after(() => cluster[Symbol.asyncDispose]())
  return {
    cluster,
    create: async (name, numPartitions) => {
      const { topics } = await cluster.send('controller', CreateTopics, {
        topics: [{ name, numPartitions, replicationFactor: 1, assignments: [], configs: [] }],
        timeoutMs: 10_000,
      })
      assert.equal(topics[0]?.errorCode, ErrorCode.NONE)
    },
    grow: async (name, count) => {
      const { results } = await cluster.send('controller', CreatePartitions, {
        topics: [{ name, count, assignments: null }],
        timeoutMs: 10_000,
        validateOnly: false,
      })
      assert.equal(results[0]?.errorCode, ErrorCode.NONE)
    },
    remove: async (memberId) => {
      const { members } = await cluster.send({ coordinatorOf: GROUP_ID, kind: 'group' }, LeaveGroup, {
        groupId: GROUP_ID,
        members: [{ memberId, groupInstanceId: null }],
      })
      assert.equal(members[0]?.errorCode, ErrorCode.NONE)
    },
    stopBroker: running.close,
    member: (name, options = {}, subscription = ['orders']) => {
      const { cluster: own, settings } = contexts.open(
        consumerOptions,
        { groupId: GROUP_ID, metadataMaxAgeMs: 100, ...given.options, ...options },
        'test',
      )
      const owner = new TestOwner(name, subscription)
      const membership = openMembership({
        cluster: own,
        settings: { ...settings, groupId: GROUP_ID },
        owner,
        heartbeats,
      })
      owner.membership = membership
      context.after(async () => {
        await membership[Symbol.asyncDispose]()
        await own[Symbol.asyncDispose]()
      })
      membership.waiting()
      membership.join()
      return owner
    },
  }
}

interface Running {
  readonly brokers: string
  readonly close: () => Promise<void>
}

async function broker(configs: Readonly<Record<string, number | string>>): Promise<Running> {
  const running = await startBroker({ configs })
  return { brokers: running.bootstrapServers, close: () => running.close() }
}

async function workerBroker(configs: Readonly<Record<string, number | string>>): Promise<Running> {
  const worker = new Worker(new URL('./broker-in-worker.ts', import.meta.url), { workerData: { configs } })
  const brokers = await new Promise<string>((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', reject)
  })
  return {
    brokers,
    close: async () => {
      await worker.terminate()
    },
  }
}
