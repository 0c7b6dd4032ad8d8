import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import {
  ConsumerGroupHeartbeat,
  ErrorCode,
  FindCoordinator,
  Heartbeat,
  type Request,
  type ResponseInput,
} from '@millrace/protocol'
import { ClientContexts } from '../../client-context.ts'
import { clientOptions } from '../../config/client-options.ts'
import { answers, ScriptedBroker, type Script } from '../../testing/scripted-broker.ts'
import { realWorld } from '../../world.ts'
import type { ClassicVitals, ConsumerVitals, Heart, HeartEvent } from './heart.ts'
import { sameLoopHost } from './same-loop-host.ts'

interface Beating {
  readonly heart: Heart
  readonly events: HeartEvent[]
  readonly broker: ScriptedBroker
}

async function beating(context: TestContext, script: Script): Promise<Beating> {
  const broker: ScriptedBroker = await ScriptedBroker.start([
    answers(FindCoordinator, () => ({ nodeId: 1, host: '127.0.0.1', port: broker.port, errorCode: 0 }), 3),
    script,
  ])
  const contexts = new ClientContexts({ brokers: broker.address, retryBackoffMs: 5, retryBackoffMaxMs: 5 }, realWorld())
  const { cluster } = contexts.open(clientOptions, {}, 'test')
  const events: HeartEvent[] = []
  const { settings, world } = cluster
  const plan = { groupId: 'g', groupInstanceId: null, maxPollIntervalMs: 60_000, pollMemory: new SharedArrayBuffer(8) }
  const listener = (event: HeartEvent): void => {
    if (event.kind !== 'answered') events.push(event)
  }
  const heart = sameLoopHost.open({ settings, world, plan, listener })
  context.after(async () => {
    await heart[Symbol.asyncDispose]()
    await cluster[Symbol.asyncDispose]()
    await broker[Symbol.asyncDispose]()
  })
  return { heart, events, broker }
}

/** The n-th heartbeat is answered with the n-th of `results`; `last` resolves with the one after these. */
function scripted(results: readonly (number | ResponseInput<typeof ConsumerGroupHeartbeat>)[]) {
  const asked: Request<typeof ConsumerGroupHeartbeat>[] = []
  const { promise: last, resolve } = Promise.withResolvers<void>()
  const script = answers(ConsumerGroupHeartbeat, (request) => {
    asked.push(request)
    const result = results[asked.length - 1]
    if (result === undefined) {
      resolve()
      return null
    }
    if (typeof result !== 'number') return result
    return { throttleTimeMs: 0, errorCode: result, errorMessage: 'why', memberEpoch: 0, heartbeatIntervalMs: 0 }
  })
  return { asked, last, script }
}

const alive = (memberEpoch: number): ResponseInput<typeof ConsumerGroupHeartbeat> => ({
  throttleTimeMs: 0,
  errorCode: 0,
  memberId: 'm',
  memberEpoch,
  heartbeatIntervalMs: 5,
})

const newer: ConsumerVitals = {
  protocol: 'consumer',
  memberId: 'm',
  memberEpoch: 0,
  rackId: 'r',
  rebalanceTimeoutMs: 1000,
  serverAssignor: 'uniform',
  topics: ['orders'],
  regex: null,
  owned: { version: 0, partitions: [] },
}

const older: ClassicVitals = {
  protocol: 'classic',
  memberId: 'm',
  generationId: 1,
  heartbeatIntervalMs: 5,
  sessionTimeoutMs: 1000,
}

test('a joining member tells everything, later ones only what has changed, and all again after a failure', async (context) => {
  const { asked, last, script } = scripted([alive(1), alive(1), ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, alive(1)])
  const { heart } = await beating(context, script)
  heart.beat(newer)
  await last
  const told = asked.map(({ memberEpoch, subscribedTopicNames, topicPartitions, rackId, serverAssignor }) => ({
    memberEpoch,
    subscribedTopicNames,
    topicPartitions,
    rackId,
    serverAssignor,
  }))
  const everything = { subscribedTopicNames: ['orders'], topicPartitions: [], serverAssignor: 'uniform' }
  const nothing = { subscribedTopicNames: null, topicPartitions: null, rackId: null, serverAssignor: null }
  assert.deepEqual(told, [
    { memberEpoch: 0, ...everything, rackId: 'r' },
    { memberEpoch: 1, ...nothing },
    { memberEpoch: 1, ...nothing },
    { memberEpoch: 1, ...everything, rackId: null },
    { memberEpoch: 1, ...nothing },
  ])
})

test('a pattern that is given up is taken back, also when it is not sure that the last heartbeat arrived', async (context) => {
  const results = [alive(1), ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, alive(1)]
  const { asked, last, script } = scripted(results)
  const { heart } = await beating(context, script)
  heart.beat({ ...newer, topics: [], regex: 'orders.*' })
  while (asked.length === 0) await new Promise((resolve) => setImmediate(resolve))
  heart.update(newer)
  await last
  assert.equal(asked[0]!.subscribedTopicRegex, 'orders.*')
  assert.equal(asked[2]!.subscribedTopicRegex, '')
  assert.equal(asked[3]!.subscribedTopicRegex, null)
})

test('trouble that lasts is told once, and again when it comes back', async (context) => {
  const denied = ErrorCode.TOPIC_AUTHORIZATION_FAILED
  const { last, script } = scripted([denied, denied, denied, alive(1), denied])
  const { heart, events } = await beating(context, script)
  heart.beat(newer)
  await last
  assert.deepEqual(
    events.map(({ kind }) => kind),
    ['troubled', 'epoch', 'troubled'],
  )
})

test('a member that is fenced is told, and its heart has stopped', async (context) => {
  const { asked, script } = scripted([alive(1), ErrorCode.FENCED_MEMBER_EPOCH])
  const { heart, events } = await beating(context, script)
  heart.beat(newer)
  while (events.length < 2) await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(events[1], { kind: 'refused', code: ErrorCode.FENCED_MEMBER_EPOCH, message: 'why' })
  await heart.leave({ memberId: 'm', protocol: 'consumer', reason: '', isForGood: true, timeoutMs: 50 })
  assert.deepEqual(
    asked.map(({ memberEpoch }) => memberEpoch),
    [0, 1, -1],
  )
})

test('a classic heart goes on while the group rebalances, and after its coordinator has moved', async (context) => {
  const codes = [
    ErrorCode.NONE,
    ErrorCode.REBALANCE_IN_PROGRESS,
    ErrorCode.NOT_COORDINATOR,
    ErrorCode.REBALANCE_IN_PROGRESS,
    ErrorCode.UNKNOWN_MEMBER_ID,
  ]
  let beats = 0
  const { heart, events, broker } = await beating(
    context,
    answers(Heartbeat, () => ({ errorCode: codes[beats++]! })),
  )
  heart.beat(older)
  while (events.at(-1)?.kind !== 'refused') await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(
    events.map(({ kind }) => kind),
    ['rebalance', 'rebalance', 'refused'],
  )
  assert.equal(beats, 5)
  assert.ok(broker.accepted > 0)
})

test('leaving ends in time when nobody answers, and never throws', async (context) => {
  const { heart } = await beating(
    context,
    answers(Heartbeat, () => null),
  )
  heart.beat(older)
  await heart.leave({ memberId: 'm', protocol: 'classic', reason: '', isForGood: true, timeoutMs: 50 })
})
