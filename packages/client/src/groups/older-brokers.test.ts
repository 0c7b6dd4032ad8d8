/** Members of groups at brokers that serve only older versions of the requests that a group takes, from Kafka 0.11 on. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import {
  ErrorCode,
  FindCoordinator,
  Heartbeat,
  JoinGroup,
  LeaveGroup,
  Metadata,
  SyncGroup,
  type Api,
  type Request,
} from '@millrace/protocol'
import { ClientContexts } from '../client-context.ts'
import { consumerOptions } from '../consumer/options.ts'
import { answers, ScriptedBroker, type Script } from '../testing/scripted-broker.ts'
import { realWorld } from '../world.ts'
import { sameLoopHost } from './heartbeats/same-loop-host.ts'
import { openMembership } from './open-membership.ts'
import { TestOwner } from './testing/test-owner.ts'

interface Group {
  readonly owner: TestOwner
  readonly asked: (api: Api) => readonly unknown[]
  readonly heartbeat: Promise<void>
}

interface Delays {
  /** Answers to joins wait for it; told the generation to come. */
  readonly beforeAnswer?: (generationId: number) => Promise<void>
  /** The first assignment is sent after it, and after a heartbeat that was answered with REBALANCE_IN_PROGRESS, as brokers before 2.6 do meanwhile. */
  readonly beforeAssigned?: (owner: TestOwner) => void
}

/** A group of one member, whose coordinator serves no newer version than `newest` of any request. */
async function groupAt(
  context: TestContext,
  newest: number,
  options: Record<string, unknown> = {},
  { beforeAnswer = async () => {}, beforeAssigned }: Delays = {},
): Promise<Group> {
  const log = new Map<Api, unknown[]>()
  const owner = new TestOwner('only', ['orders'])
  const beaten = Promise.withResolvers<void>()
  const beatenTwice = Promise.withResolvers<void>()
  const scripted = <A extends Api>(api: A, handle: (request: Request<A>, version: number) => unknown): Script =>
    answers(
      api,
      (request, version) => {
        log.set(api, [...(log.get(api) ?? []), request])
        return handle(request, version) as never
      },
      Math.min(newest, api.versions[1]),
    )
  let assignment: Uint8Array = new Uint8Array()
  let generationId = 0
  const broker: ScriptedBroker = await ScriptedBroker.start([
    scripted(Metadata, ({ topics }) => ({
      brokers: [{ nodeId: 1, host: '127.0.0.1', port: broker.port }],
      controllerId: 1,
      topics: (topics ?? []).map(({ name }) => ({
        name,
        errorCode: 0,
        partitions: [0, 1].map((partitionIndex) => ({
          partitionIndex,
          errorCode: 0,
          leaderId: 1,
          replicaNodes: [1],
          isrNodes: [1],
        })),
      })),
    })),
    scripted(FindCoordinator, ({ coordinatorKeys }, version) => {
      const node = { nodeId: 1, host: '127.0.0.1', port: broker.port, errorCode: 0 }
      if (version < 4) return node
      return { coordinators: coordinatorKeys.map((key) => ({ ...node, key, errorMessage: null })) }
    }),
    scripted(JoinGroup, async ({ memberId, protocols }, version) => {
      const { name, metadata } = protocols[0]!
      if (memberId === '' && version >= 4)
        return { errorCode: 79, protocolName: '', memberId: 'm', leader: '', members: [] }
      await beforeAnswer(++generationId)
      return {
        errorCode: 0,
        generationId,
        protocolName: name,
        leader: 'm',
        memberId: 'm',
        members: [{ memberId: 'm', metadata }],
      }
    }),
    scripted(SyncGroup, async ({ assignments }) => {
      if (beforeAssigned !== undefined && generationId === 1) {
        // It comes when the client has read the answer to the first.
        await beatenTwice.promise
        beforeAssigned(owner)
      }
      assignment = assignments[0]!.assignment
      return { errorCode: 0, assignment }
    }),
    scripted(Heartbeat, () => {
      beaten.resolve()
      const isFirst = log.get(Heartbeat)!.length === 1
      if (!isFirst) beatenTwice.resolve()
      return { errorCode: beforeAssigned !== undefined && isFirst ? ErrorCode.REBALANCE_IN_PROGRESS : ErrorCode.NONE }
    }),
    scripted(LeaveGroup, ({ members }, version) =>
      version < 3 ? { errorCode: 0 } : { errorCode: 0, members: members.map((one) => ({ ...one, errorCode: 0 })) },
    ),
  ])
  context.after(() => broker[Symbol.asyncDispose]())
  const { cluster, settings } = new ClientContexts({ brokers: broker.address, retryBackoffMs: 10 }, realWorld()).open(
    consumerOptions,
    { groupId: 'g', heartbeatIntervalMs: 20, ...options },
    'test',
  )
  owner.membership = openMembership({
    cluster,
    settings: { ...settings, groupId: 'g' },
    owner,
    heartbeats: sameLoopHost,
  })
  context.after(async () => {
    await owner.membership![Symbol.asyncDispose]()
    await cluster[Symbol.asyncDispose]()
  })
  owner.membership.waiting()
  owner.membership.join()
  return { owner, asked: (api) => log.get(api) ?? [], heartbeat: beaten.promise }
}

for (let newest = 0; newest <= 9; newest++) {
  test(`joining, beating and leaving by versions up to ${newest}`, async (context) => {
    const { owner, asked, heartbeat } = await groupAt(context, newest)
    await owner.until(() => owner.owned.length === 2)
    await heartbeat
    assert.equal(asked(JoinGroup).length, newest >= 4 ? 2 : 1)
    await owner.membership!.leave({ leaveGroup: true, signal: new AbortController().signal })
    assert.equal(asked(LeaveGroup).length, 1)
    const [leaving] = asked(LeaveGroup) as Request<typeof LeaveGroup>[]
    assert.equal(newest >= 3 ? leaving!.members[0]!.memberId : leaving!.memberId, 'm')
    if (newest >= 5) assert.equal(leaving!.members[0]!.reason, 'the consumer is being closed')
    assert.deepEqual(owner.errors, [])
  })
}

test('a static member at a broker that knows none is told which broker it needs', async (context) => {
  const { owner } = await groupAt(context, 4, { groupInstanceId: 'one' })
  await owner.until(() => owner.errors.length > 0)
  assert.match(owner.errors[0]!.message, /group g: groupInstanceId needs Kafka 2\.3 or newer/)
})

test('the consumer protocol at a broker without it is an error that says what to use', async (context) => {
  const { owner } = await groupAt(context, 9, { groupProtocol: 'consumer', heartbeatIntervalMs: 3000 })
  await owner.until(() => owner.errors.length > 0)
  assert.match(
    owner.errors[0]!.message,
    /do not have the consumer protocol \(KIP-848, Kafka 4\.0\); use groupProtocol 'auto'/,
  )
})

test('a commit that the next generation refuses, before this member has heard of it, costs the member nothing', async (context) => {
  const joining = Promise.withResolvers<void>()
  const answered = Promise.withResolvers<void>()
  const { owner, asked } = await groupAt(
    context,
    9,
    { partitionAssignmentStrategy: ['cooperative-sticky'] },
    {
      beforeAnswer: async (generationId) => {
        if (generationId !== 2) return
        joining.resolve()
        await answered.promise
      },
    },
  )
  await owner.until(() => owner.owned.length === 2)
  const membership = owner.membership!
  const sentAs = membership.metadata
  membership.enforceRebalance('test')
  await joining.promise
  membership.commitRefused(ErrorCode.ILLEGAL_GENERATION, sentAs)
  answered.resolve()
  const beats = (): Request<typeof Heartbeat>[] => asked(Heartbeat) as Request<typeof Heartbeat>[]
  while (!beats().some(({ generationId }) => generationId >= 2)) await nextTurn()
  await membership.leave({ leaveGroup: true, signal: new AbortController().signal })
  assert.equal(asked(JoinGroup).length, 3, 'once for the id, once for each generation')
  assert.deepEqual(
    owner.calls.map(({ kind }) => kind),
    ['assigned', 'assigned', 'revoked'],
  )
})

test('what says that the group rebalances while the assignment is awaited is no reason to join again', async (context) => {
  const beforeAssigned = ({ membership }: TestOwner): void =>
    membership!.commitRefused(ErrorCode.REBALANCE_IN_PROGRESS, membership!.metadata)
  const { owner, asked } = await groupAt(context, 3, {}, { beforeAssigned })
  await owner.until(() => owner.owned.length === 2)
  const beatsBefore = asked(Heartbeat).length
  while (asked(Heartbeat).length < beatsBefore + 2) await nextTurn()
  assert.equal(asked(JoinGroup).length, 1)
  assert.deepEqual(
    owner.calls.map(({ kind }) => kind),
    ['assigned'],
  )
})
