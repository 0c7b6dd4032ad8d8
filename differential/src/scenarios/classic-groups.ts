/** Members of classic groups: joining, syncing, heartbeats, leaving, and what each answers when something is wrong. */
import {
  ConsumerProtocolAssignment,
  DescribeGroups,
  Heartbeat,
  JoinGroup,
  LeaveGroup,
  ListGroups,
  SyncGroup,
  Writer,
  type RequestInput,
  type Response,
} from '@millrace/protocol'
import type { Scenario } from '../scenario.ts'
import type { World } from '../world.ts'

type Join = Partial<RequestInput<typeof JoinGroup>> & { readonly groupId: string }

export function joinRequest(join: Join): RequestInput<typeof JoinGroup> {
  return {
    sessionTimeoutMs: 60_000,
    rebalanceTimeoutMs: 60_000,
    memberId: '',
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: subscription('a') }],
    ...join,
  }
}

export function subscription(...topics: string[]): Uint8Array {
  const writer = [0, 0, 0, 0, 0, topics.length]
  for (const topic of topics) writer.push(0, topic.length, ...Buffer.from(topic))
  writer.push(0xff, 0xff, 0xff, 0xff)
  return Uint8Array.from(writer)
}

/** Joins as a dynamic member of version 4 or newer does: asks for an id first. */
export async function joinWithId(world: World, client: string, join: Join, version = 9) {
  const connection = await world.client(client)
  const first = await connection.ask(JoinGroup, version, joinRequest(join))
  if (first.errorCode !== 79) return first
  return connection.ask(JoinGroup, version, joinRequest({ ...join, memberId: first.memberId }))
}

export function assignment(topic: string, partitions: readonly number[]): Uint8Array {
  const writer = new Writer()
  writer.int16(0)
  ConsumerProtocolAssignment.encode(writer, { assignedPartitions: [{ topic, partitions }], userData: null }, 0)
  return Uint8Array.from(Buffer.concat(writer.finish()))
}

/** A stable group with one member. */
export async function stableGroup(
  world: World,
  groupId: string,
  join: Partial<Join> = {},
  assigned: Uint8Array = Uint8Array.of(1, 2, 3),
) {
  const joined = await joinWithId(world, 'leader', { ...join, groupId })
  const client = await world.client('leader')
  await client.ask(SyncGroup, 5, {
    groupId,
    generationId: joined.generationId,
    memberId: joined.memberId,
    groupInstanceId: join.groupInstanceId ?? null,
    protocolType: 'consumer',
    protocolName: joined.protocolName,
    assignments: [{ memberId: joined.memberId, assignment: assigned }],
  })
  return joined
}

export async function describe(world: World, ...groups: string[]): Promise<Response<typeof DescribeGroups>> {
  const admin = await world.client('admin')
  return admin.ask(DescribeGroups, 6, { groups, includeAuthorizedOperations: true })
}

export const classicGroups: readonly Scenario[] = [
  {
    name: 'a group of one joins, syncs, beats and leaves, in every version',
    async run(world) {
      for (const version of world.versions(JoinGroup)) {
        const client = await world.client('one')
        const groupId = world.name(`v${version}`)
        const within = (newest: number) => Math.min(version, newest)
        const joined = await joinWithId(world, 'one', { groupId }, version)
        const { generationId, memberId } = joined
        await describe(world, groupId)
        const sync = { groupId, generationId, memberId, protocolType: 'consumer', protocolName: 'range' }
        await client.ask(Heartbeat, within(4), { groupId, generationId, memberId })
        await client.ask(SyncGroup, within(5), { ...sync, assignments: [{ memberId, assignment: Uint8Array.of(7) }] })
        await client.ask(SyncGroup, within(5), { ...sync, assignments: [] })
        for (const one of world.versions(Heartbeat))
          await client.ask(Heartbeat, one, { groupId, generationId, memberId })
        for (const one of world.versions(DescribeGroups))
          await client.ask(DescribeGroups, one, { groups: [groupId], includeAuthorizedOperations: false })
        await client.ask(LeaveGroup, within(5), { groupId, memberId, members: [{ memberId, reason: 'done' }] })
        for (const one of world.versions(DescribeGroups))
          await client.ask(DescribeGroups, one, { groups: [groupId], includeAuthorizedOperations: true })
      }
    },
  },
  {
    name: 'a join that breaks a rule is refused, in every version',
    async run(world) {
      const client = await world.client('wrong')
      for (const version of world.versions(JoinGroup)) {
        const groupId = world.name(`v${version}`)
        const ask = (join: Partial<Join>) => client.ask(JoinGroup, version, joinRequest({ groupId, ...join }))
        await ask({ groupId: '' })
        await ask({ sessionTimeoutMs: 99 })
        await ask({ sessionTimeoutMs: 1_800_001 })
        await ask({ sessionTimeoutMs: -1 })
        await ask({ protocols: [] })
        await ask({ protocolType: '' })
        await ask({ memberId: 'unknown' })
        await ask({ protocolType: '', protocols: [], memberId: '' })
        await describe(world, groupId)
      }
    },
  },
  {
    name: 'a join of an existing group with other protocols is refused',
    async run(world) {
      const client = await world.client('other')
      for (const version of world.versions(JoinGroup)) {
        const groupId = world.name(`v${version}`)
        const { memberId, generationId } = await stableGroup(world, groupId)
        const ask = (join: Partial<Join>) => client.ask(JoinGroup, version, joinRequest({ groupId, ...join }))
        await ask({ protocolType: 'connect' })
        await ask({ protocols: [{ name: 'sticky', metadata: subscription('a') }] })
        await ask({ protocols: [] })
        await ask({ memberId: 'unknown' })
        await ask({ memberId: 'unknown', protocolType: 'connect' })
        await ask({ memberId, protocolType: 'connect' })
        await ask({ memberId, protocols: [] })
        await client.ask(Heartbeat, 4, { groupId, memberId, generationId })
        await describe(world, groupId)
      }
    },
  },
  {
    name: 'heartbeats and syncs of the wrong group, member, generation, instance or protocol',
    async run(world) {
      const client = await world.client('one')
      const groupId = world.name('group')
      const { generationId, memberId } = await stableGroup(world, groupId)
      const statics = world.name('statics')
      const one = await stableGroup(world, statics, { groupInstanceId: 'i1' })
      for (const version of world.versions(Heartbeat)) {
        const beat = (heartbeat: Partial<RequestInput<typeof Heartbeat>>) =>
          client.ask(Heartbeat, version, { groupId, generationId, memberId, ...heartbeat })
        await beat({ groupId: '' })
        await beat({ groupId: world.name('missing') })
        await beat({ memberId: '' })
        await beat({ memberId: 'unknown' })
        await beat({ generationId: generationId + 1 })
        await beat({ generationId: generationId - 1 })
        await beat({ generationId: -1 })
        await beat({ generationId: -1, memberId: '' })
        await beat({ groupInstanceId: 'unknown' })
        await beat({ groupId: statics, memberId: 'x', groupInstanceId: 'i1' })
        await beat({ groupId: statics, memberId: one.memberId, groupInstanceId: 'i1', generationId: 77 })
        await beat({ groupId: statics, memberId: one.memberId, groupInstanceId: 'i2' })
        await beat({ groupId: statics, memberId: one.memberId })
      }
      for (const version of world.versions(SyncGroup)) {
        const sync = (request: Partial<RequestInput<typeof SyncGroup>>) =>
          client.ask(SyncGroup, version, {
            groupId,
            generationId,
            memberId,
            protocolType: 'consumer',
            protocolName: 'range',
            assignments: [],
            ...request,
          })
        await sync({ groupId: '' })
        await sync({ groupId: world.name('missing') })
        await sync({ memberId: '' })
        await sync({ memberId: 'unknown' })
        await sync({ generationId: generationId + 1 })
        await sync({ generationId: -1 })
        await sync({ groupInstanceId: 'unknown' })
        await sync({ groupId: statics, memberId: 'x', groupInstanceId: 'i1' })
        await sync({ groupId: statics, memberId: one.memberId, groupInstanceId: 'i1', generationId: 77 })
        await sync({ protocolType: 'connect' })
        await sync({ protocolName: 'roundrobin' })
        await sync({ protocolType: null, protocolName: null })
        await sync({ protocolType: null })
        await sync({ protocolName: null })
        await sync({ assignments: [{ memberId, assignment: Uint8Array.of(9) }] })
      }
    },
  },
  {
    name: 'leaving the wrong group, as the wrong member or instance, several at once',
    async run(world) {
      const client = await world.client('one')
      for (const version of world.versions(LeaveGroup)) {
        const groupId = world.name(`v${version}`)
        const dynamic = await stableGroup(world, groupId)
        const statics = world.name(`statics-v${version}`)
        const fixed = await stableGroup(world, statics, { groupInstanceId: 'i1' })
        const leave = (group: string, ...members: { memberId: string; groupInstanceId?: string | null }[]) =>
          client.ask(LeaveGroup, version, { groupId: group, memberId: members[0]?.memberId ?? '', members })
        await leave('', { memberId: 'x' })
        await leave(world.name('missing'), { memberId: 'x' })
        await leave(world.name('missing'), { memberId: 'x' }, { memberId: '', groupInstanceId: 'y' })
        await leave(groupId)
        await leave(groupId, { memberId: '' })
        await leave(groupId, { memberId: 'unknown' })
        await leave(groupId, { memberId: 'unknown', groupInstanceId: 'unknown' })
        await leave(statics, { memberId: 'unknown', groupInstanceId: 'i1' })
        await leave(statics, { memberId: fixed.memberId, groupInstanceId: 'i2' })
        await leave(groupId, { memberId: 'unknown' }, { memberId: dynamic.memberId }, { memberId: dynamic.memberId })
        await leave(statics, { memberId: '', groupInstanceId: 'i1' }, { memberId: fixed.memberId })
        await leave(statics, { memberId: fixed.memberId })
        await describe(world, groupId, statics)
        await leave(groupId, { memberId: dynamic.memberId })
      }
    },
  },
  {
    name: 'two members, a follower joins and the leader leaves',
    async run(world) {
      const groupId = world.name('group')
      const first = await stableGroup(world, groupId)
      const leader = await world.client('leader')
      const follower = await world.client('follower')
      const { memberId } = await follower.ask(JoinGroup, 9, joinRequest({ groupId }))
      await describe(world, groupId)
      await leader.ask(Heartbeat, 4, { groupId, generationId: first.generationId, memberId: first.memberId })
      const joining = follower.send(JoinGroup, 9, joinRequest({ groupId, memberId }))
      await world.barrier()
      await describe(world, groupId)
      await leader.ask(Heartbeat, 4, { groupId, generationId: first.generationId, memberId: first.memberId })
      await leader.ask(SyncGroup, 5, {
        groupId,
        generationId: first.generationId,
        memberId: first.memberId,
        assignments: [],
      })
      const again = await leader.ask(JoinGroup, 9, joinRequest({ groupId, memberId: first.memberId }))
      const joined = await joining.answer()
      await describe(world, groupId)
      const syncing = follower.send(SyncGroup, 5, {
        groupId,
        generationId: joined.generationId,
        memberId,
        protocolType: 'consumer',
        protocolName: 'range',
        assignments: [],
      })
      await world.barrier()
      await leader.ask(Heartbeat, 4, { groupId, generationId: again.generationId, memberId: first.memberId })
      // The leader forgets the follower.
      await leader.ask(SyncGroup, 5, {
        groupId,
        generationId: again.generationId,
        memberId: first.memberId,
        protocolType: 'consumer',
        protocolName: 'range',
        assignments: [{ memberId: first.memberId, assignment: Uint8Array.of(1) }],
      })
      await syncing.answer()
      await describe(world, groupId)
      // A follower that joins again unchanged is told the present generation; one that has changed starts a rebalance.
      await follower.ask(JoinGroup, 9, joinRequest({ groupId, memberId }))
      await describe(world, groupId)
      await leader.ask(LeaveGroup, 5, { groupId, members: [{ memberId: first.memberId }] })
      await describe(world, groupId)
      await follower.ask(Heartbeat, 4, { groupId, generationId: joined.generationId, memberId })
      await follower.ask(JoinGroup, 9, joinRequest({ groupId, memberId }))
      await describe(world, groupId)
    },
  },
  {
    name: 'a static member comes back, unchanged and changed, and fences its former self',
    async run(world) {
      for (const version of world.versions(JoinGroup, 5)) {
        const groupId = world.name(`v${version}`)
        const client = await world.client('static')
        const first = await stableGroup(world, groupId, { groupInstanceId: 'i1' })
        const back = await client.ask(JoinGroup, version, joinRequest({ groupId, groupInstanceId: 'i1' }))
        const identity = { groupId, groupInstanceId: 'i1' }
        await client.ask(Heartbeat, 4, { ...identity, generationId: 1, memberId: first.memberId })
        await client.ask(Heartbeat, 4, { ...identity, generationId: back.generationId, memberId: back.memberId })
        await client.ask(SyncGroup, 5, {
          ...identity,
          generationId: back.generationId,
          memberId: back.memberId,
          protocolType: 'consumer',
          protocolName: 'range',
          assignments: [{ memberId: back.memberId, assignment: Uint8Array.of(4) }],
        })
        await client.ask(JoinGroup, version, joinRequest({ ...identity, memberId: first.memberId }))
        await client.ask(JoinGroup, version, joinRequest({ ...identity, memberId: 'unknown' }))
        await client.ask(JoinGroup, version, joinRequest({ ...identity, groupInstanceId: 'i2', memberId: 'unknown' }))
        await describe(world, groupId)
        const changed = await client.ask(
          JoinGroup,
          version,
          joinRequest({ ...identity, protocols: [{ name: 'range', metadata: subscription('b') }] }),
        )
        await describe(world, groupId)
        await client.ask(LeaveGroup, 5, { groupId, members: [{ memberId: '', groupInstanceId: 'i1' }] })
        await client.ask(Heartbeat, 4, { ...identity, generationId: changed.generationId, memberId: changed.memberId })
        await describe(world, groupId)
      }
    },
  },
  {
    name: 'a full group takes nobody in',
    async run(world) {
      const groupId = world.name('group')
      const pending = []
      for (let member = 0; member < 7; member++) {
        const client = await world.client(`m${member}`)
        const { memberId, errorCode } = await client.ask(JoinGroup, 9, joinRequest({ groupId }))
        if (errorCode === 79) {
          const join = client.send(JoinGroup, 9, joinRequest({ groupId, memberId }))
          await world.barrier()
          if (await join.isParked()) pending.push(join)
          else await join.answer()
        }
        await describe(world, groupId)
      }
    },
  },
  {
    name: 'groups are listed by state and type, in every version',
    async run(world) {
      const client = await world.client('lister')
      await stableGroup(world, world.name('stable'))
      const left = await stableGroup(world, world.name('empty'))
      await client.ask(LeaveGroup, 5, { groupId: world.name('empty'), members: [{ memberId: left.memberId }] })
      await joinWithId(world, 'joining', { groupId: world.name('completing') })
      for (const version of world.versions(ListGroups)) {
        const list = (statesFilter: string[], typesFilter: string[] = []) =>
          client.ask(ListGroups, version, { statesFilter, typesFilter })
        await list([])
        await list(['Stable'])
        await list(['stable', 'EMPTY'])
        await list(['CompletingRebalance'])
        await list(['nonsense'])
        await list(['Dead', 'Assigning', 'Reconciling', 'NotReady'])
        await list([], ['classic'])
        await list([], ['Classic'])
        await list([], ['consumer'])
        await list([], ['share', 'streams'])
        await list([], ['unknown'])
        await list(['Stable'], ['classic', 'consumer'])
      }
    },
  },
]
