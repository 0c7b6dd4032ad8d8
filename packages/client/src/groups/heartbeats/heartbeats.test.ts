import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { ConsumerGroupDescribe, DescribeGroups } from '@millrace/protocol'
import type { Logger } from '@millrace/runtime'
import type { Cluster } from '../../cluster/cluster.ts'
import { MaxPollIntervalExceeded } from '../max-poll-interval-exceeded.ts'
import { GROUP_ID, testGroup } from '../testing/test-group.ts'
import type { HeartbeatHost } from './heart.ts'
import { sameLoopHost } from './same-loop-host.ts'
import { ThreadHost } from './thread-host.ts'

const SESSION_MS = 3000
const LONGER_MS = 1.2 * SESSION_MS
const protocols = {
  classic: { groupProtocol: 'classic', heartbeatIntervalMs: 50, sessionTimeoutMs: SESSION_MS },
  consumer: { groupProtocol: 'consumer' },
} as const

/** As a handler does that computes without a pause. */
function burnCpu(ms: number): void {
  const end = performance.now() + ms
  while (performance.now() < end);
}

/** Loading the thread's code takes longer than the sessions here. */
async function untilUp(heartbeats: ThreadHost, { settings, world }: Cluster, context: TestContext): Promise<void> {
  const plan = { groupId: 'x', groupInstanceId: null, maxPollIntervalMs: 60_000, pollMemory: new SharedArrayBuffer(8) }
  const heart = heartbeats.open({ settings, world, plan, listener: () => {} })
  context.after(() => heart[Symbol.asyncDispose]())
  await heartbeats.ready
}

async function memberIds(cluster: Cluster, protocol: keyof typeof protocols): Promise<string[]> {
  const coordinator = { coordinatorOf: GROUP_ID, kind: 'group' } as const
  const { groups } =
    protocol === 'classic'
      ? await cluster.send(coordinator, DescribeGroups, { groups: [GROUP_ID] })
      : await cluster.send(coordinator, ConsumerGroupDescribe, {
          groupIds: [GROUP_ID],
          includeAuthorizedOperations: false,
        })
  return groups[0]!.members.map(({ memberId }) => memberId)
}

for (const protocol of ['classic', 'consumer'] as const) {
  const options = protocols[protocol]

  test(`${protocol}: a handler that burns CPU for longer than a session keeps its partitions`, async (context) => {
    const heartbeats = new ThreadHost()
    const { create, member, cluster } = await testGroup(context, { options, heartbeats, brokerInWorker: true })
    await create('orders', 2)
    await untilUp(heartbeats, cluster, context)
    const busy = member('busy')
    await busy.until(() => busy.owned.length === 2)
    const { memberId, generationId } = busy.membership!.metadata
    busy.membership!.polled()
    burnCpu(LONGER_MS)
    assert.deepEqual(await memberIds(cluster, protocol), [memberId])
    assert.deepEqual(busy.membership!.metadata.generationId, generationId)
    assert.deepEqual(
      busy.calls.map(({ kind }) => kind),
      ['assigned'],
    )
  })

  test(`${protocol}: without a thread the same handler loses them`, async (context) => {
    const { create, member, cluster } = await testGroup(context, {
      options,
      heartbeats: sameLoopHost,
      brokerInWorker: true,
    })
    await create('orders', 2)
    const busy = member('busy')
    await busy.until(() => busy.owned.length === 2)
    const isLost = (): boolean => busy.calls.some(({ kind }) => kind === 'lost')
    while (!isLost()) {
      burnCpu(LONGER_MS)
      // Time for the heart to connect again and to be told.
      for (let turn = 0; turn < 100 && !isLost(); turn++) await memberIds(cluster, protocol)
    }
  })

  for (const host of ['thread', 'same loop'] as const) {
    test(`${protocol}, ${host}: exceeding maxPollIntervalMs is told, and the partitions go to the other member`, async (context) => {
      const { create, member } = await testGroup(context, {
        options: { ...options, ...(protocol === 'classic' ? { sessionTimeoutMs: 20_000 } : {}) },
        heartbeats: hostOf(host),
      })
      await create('orders', 2)
      const slow = member('slow', { maxPollIntervalMs: 300 })
      await slow.until(() => slow.owned.length === 2)
      const other = member('other')
      await other.until(() => other.owned.length === 1)
      await slow.until(() => slow.owned.length === 1)
      // Its application does not ask again before it is told below, and gives up when it asks.
      const asked = Promise.withResolvers<void>()
      slow.givingUp = () => asked.promise
      slow.membership!.handling({ topic: 'orders', partition: 7 })
      slow.membership!.polled()
      await slow.until(() => slow.errors.length > 0)
      await other.until(() => other.owned.length === 2)
      const [error] = slow.errors as MaxPollIntervalExceeded[]
      assert.ok(error instanceof MaxPollIntervalExceeded)
      assert.match(error.message, /^maxPollIntervalMs exceeded by \d+ ms: handler of orders-7\. /)
      assert.ok(error.overrunMs >= 0 && error.overrunMs < 5000, String(error.overrunMs))
      slow.membership!.waiting()
      asked.resolve()
      await slow.until(() => slow.calls.at(-1)?.kind === 'assigned' && slow.owned.length === 1)
      assert.deepEqual(
        slow.calls.map(({ kind }) => kind).filter((kind) => kind === 'lost' || kind === 'troubled'),
        ['troubled', 'lost'],
      )
    })
  }
}

test('a static member that exceeds maxPollIntervalMs is silent until its session ends, and is not told to leave', async (context) => {
  const { create, member, cluster } = await testGroup(context, {
    options: { ...protocols.classic, sessionTimeoutMs: 20_000 },
  })
  await create('orders', 1)
  const slow = member('slow', { maxPollIntervalMs: 200, groupInstanceId: 'one' })
  await slow.until(() => slow.owned.length === 1)
  const { memberId } = slow.membership!.metadata
  slow.membership!.polled()
  await slow.until(() => slow.errors.length > 0)
  assert.deepEqual(await memberIds(cluster, 'classic'), [memberId])
  slow.membership!.waiting()
  await slow.until(() => slow.calls.filter(({ kind }) => kind === 'assigned').length === 2)
})

test('an application that waits for records does not exceed maxPollIntervalMs', async (context) => {
  const { create, member, grow } = await testGroup(context, { options: protocols.classic })
  await create('orders', 1)
  const patient = member('patient', { maxPollIntervalMs: 100 })
  await patient.until(() => patient.owned.length === 1)
  for (let partitions = 2; partitions < 6; partitions++) {
    await grow('orders', partitions)
    await patient.until(() => patient.owned.length === partitions)
  }
  assert.deepEqual(patient.errors, [])
})

test('when the thread cannot start, members live on in the same loop, and the log says so', async (context) => {
  const warnings: string[] = []
  const heartbeats = new ThreadHost({ entry: new URL('./no-such-file.ts', import.meta.url) })
  const { create, member } = await testGroup(context, { options: protocols.classic, heartbeats })
  await create('orders', 1)
  const only = member('only', { logger: loggerOf(warnings) })
  await only.until(() => only.owned.length === 1)
  const second = member('second', { logger: loggerOf(warnings) })
  await only.membership!.leave({ leaveGroup: true, signal: new AbortController().signal })
  await second.until(() => second.owned.length === 1)
  assert.ok(warnings.length > 0)
  for (const warning of warnings) assert.match(warning, /heartbeats go without a thread of their own/)
})

test('one thread serves all members of a client, and ends with the last', async (context) => {
  const heartbeats = new ThreadHost()
  const { create, member } = await testGroup(context, { options: protocols.classic, heartbeats })
  await create('orders', 2)
  const before = workers()
  const members = [member('first'), member('second')]
  await Promise.all(members.map((one) => one.until(() => one.owned.length === 1)))
  assert.equal(workers(), before + 1)
  for (const one of members) await one.membership!.leave({ leaveGroup: true, signal: new AbortController().signal })
  assert.equal(workers(), before)
})

function workers(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'MessagePort' || name === 'Worker').length
}

function hostOf(host: 'thread' | 'same loop'): HeartbeatHost {
  return host === 'thread' ? new ThreadHost() : sameLoopHost
}

function loggerOf(warnings: string[]): Logger {
  const logger: Logger = {
    debug() {},
    info() {},
    warn: (message) => void warnings.push(message),
    error() {},
    child: () => logger,
  }
  return logger
}

test('leaving ends with the heart, whatever the thread does, and so does leaving afterwards', async (context) => {
  const heartbeats = new ThreadHost()
  const { cluster } = await testGroup(context, { options: protocols.classic, heartbeats })
  const { settings, world } = cluster
  const plan = { groupId: 'x', groupInstanceId: null, maxPollIntervalMs: 60_000, pollMemory: new SharedArrayBuffer(8) }
  // Nothing listens there: the thread tries until the time is over.
  const unreachable = { ...settings, brokers: '127.0.0.1:1' }
  const heart = heartbeats.open({ settings: unreachable, world, plan, listener: () => {} })
  const leaving = { memberId: 'm', protocol: 'classic', reason: '', isForGood: true, timeoutMs: 60_000 } as const
  const left = heart.leave(leaving)
  await heart[Symbol.asyncDispose]()
  await left
  await heart.leave(leaving)
})
