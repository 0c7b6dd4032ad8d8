/** The handlers of classic groups, over the wire: what each version is told. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  DeleteGroups,
  DescribeGroups,
  ErrorCode,
  FindCoordinator,
  Heartbeat,
  JoinGroup,
  LeaveGroup,
  ListGroups,
  SyncGroup,
  type RequestInput,
} from '@millrace/protocol'
import { type RawClient, TestBroker } from '../testing/index.ts'

const configs = { 'offsets.topic.num.partitions': 2, 'group.initial.rebalance.delay.ms': 0 }
const assignment = Buffer.from('assigned')

async function started(): Promise<{ broker: TestBroker; client: RawClient }> {
  const broker = await TestBroker.start({ configs })
  const client = await broker.connect()
  await client.ask(FindCoordinator, 0, { key: 'group' })
  return { broker, client }
}

type Join = Partial<RequestInput<typeof JoinGroup>>

/** Until the coordinator has loaded its partition. */
async function join(client: RawClient, version: number, request: Join = {}) {
  const whole = {
    groupId: 'group',
    sessionTimeoutMs: 10_000,
    ...(version > 0 ? { rebalanceTimeoutMs: 10_000 } : {}),
    memberId: '',
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: Buffer.from('subscription') }],
    ...request,
  }
  for (;;) {
    const answer = await client.ask(JoinGroup, version, whole)
    if (answer.errorCode !== ErrorCode.COORDINATOR_LOAD_IN_PROGRESS) return answer
  }
}

/** The one member of a stable group. */
async function soleMember(client: RawClient, groupId = 'group'): Promise<string> {
  const { memberId, generationId } = await join(client, 3, { groupId })
  const assignments = [{ memberId, assignment }]
  const synced = await client.ask(SyncGroup, 2, { groupId, generationId, memberId, assignments })
  assert.deepEqual([synced.errorCode, Buffer.from(synced.assignment)], [ErrorCode.NONE, assignment])
  return memberId
}

test('a group has no coordinator before its topic exists', async () => {
  await using broker = await TestBroker.start({ configs })
  const client = await broker.connect()
  const { errorCode } = await client.ask(Heartbeat, 4, { groupId: 'group', generationId: 1, memberId: 'm' })
  assert.equal(errorCode, ErrorCode.NOT_COORDINATOR)
  assert.deepEqual((await client.ask(ListGroups, 4, { statesFilter: [] })).groups, [])
  client.close()
})

test('JoinGroup checks group and session timeout, and names no protocol to who is refused', async () => {
  const { broker, client } = await started()
  await using _ = broker
  const noGroup = await join(client, 9, { groupId: '', memberId: 'm' })
  assert.deepEqual(
    [noGroup.errorCode, noGroup.memberId, noGroup.generationId, noGroup.protocolName],
    [ErrorCode.INVALID_GROUP_ID, 'm', -1, null],
  )
  for (const sessionTimeoutMs of [5999, 1_800_001])
    assert.equal((await join(client, 6, { sessionTimeoutMs })).errorCode, ErrorCode.INVALID_SESSION_TIMEOUT)
  const older = await join(client, 6, { memberId: 'stranger' })
  assert.deepEqual([older.errorCode, older.protocolName, older.leader], [ErrorCode.UNKNOWN_MEMBER_ID, '', ''])
  client.close()
})

test('every version of JoinGroup makes a member', async () => {
  const { broker, client } = await started()
  await using _ = broker
  for (let version = 0; version <= 9; version++) {
    const groupId = `group-${version}`
    let joined = await join(client, version, { groupId })
    if (joined.errorCode === ErrorCode.MEMBER_ID_REQUIRED) {
      assert.ok(version >= 4, `version ${version}`)
      joined = await join(client, version, { groupId, memberId: joined.memberId })
    }
    const { errorCode, generationId, leader, memberId, members, protocolName, protocolType } = joined
    assert.deepEqual(
      { errorCode, generationId, leader, protocolName, protocolType },
      {
        errorCode: ErrorCode.NONE,
        generationId: 1,
        leader: memberId,
        protocolName: 'range',
        protocolType: version >= 7 ? 'consumer' : null,
      },
    )
    assert.match(memberId, /^fuzz-/, 'the client id')
    assert.equal(Buffer.from(members[0]!.metadata).toString(), 'subscription')
  }
  client.close()
})

test('SyncGroup has to name the protocol from version 5 on', async () => {
  const { broker, client } = await started()
  await using _ = broker
  const memberId = await soleMember(client)
  const request = { groupId: 'group', generationId: 1, memberId, assignments: [] }
  assert.equal((await client.ask(SyncGroup, 5, request)).errorCode, ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
  const named = { ...request, protocolType: 'consumer', protocolName: 'range' }
  const { errorCode, protocolType, protocolName } = await client.ask(SyncGroup, 5, named)
  assert.deepEqual([errorCode, protocolType, protocolName], [ErrorCode.NONE, 'consumer', 'range'])
  assert.equal((await client.ask(SyncGroup, 5, { ...named, groupId: '' })).errorCode, ErrorCode.INVALID_GROUP_ID)
  client.close()
})

test('LeaveGroup tells of one member, or of each', async () => {
  const { broker, client } = await started()
  await using _ = broker
  const memberId = await soleMember(client)
  assert.equal(
    (await client.ask(LeaveGroup, 2, { groupId: 'group', memberId: 'x' })).errorCode,
    ErrorCode.UNKNOWN_MEMBER_ID,
  )
  const { errorCode, members } = await client.ask(LeaveGroup, 5, {
    groupId: 'group',
    members: [{ memberId }, { memberId: 'x', groupInstanceId: 'i', reason: 'why not' }],
  })
  assert.equal(errorCode, ErrorCode.NONE)
  assert.deepEqual(
    members.map((member) => [member.memberId, member.groupInstanceId, member.errorCode]),
    [
      [memberId, null, ErrorCode.NONE],
      ['x', 'i', ErrorCode.UNKNOWN_MEMBER_ID],
    ],
  )
  assert.equal((await client.ask(LeaveGroup, 1, { groupId: 'none', memberId })).errorCode, ErrorCode.UNKNOWN_MEMBER_ID)
  const none = await client.ask(LeaveGroup, 3, { groupId: 'none', members: [{ memberId }] })
  assert.deepEqual([none.errorCode, none.members[0]!.errorCode], [ErrorCode.NONE, ErrorCode.UNKNOWN_MEMBER_ID])
  assert.equal((await client.ask(LeaveGroup, 3, { groupId: '', members: [] })).errorCode, ErrorCode.INVALID_GROUP_ID)
  client.close()
})

test('DescribeGroups tells of members what a stable group knows', async () => {
  const { broker, client } = await started()
  await using _ = broker
  const memberId = await soleMember(client)
  const { groups } = await client.ask(DescribeGroups, 5, {
    groups: ['group', 'none'],
    includeAuthorizedOperations: true,
  })
  const [group, none] = groups
  assert.deepEqual(
    [group!.groupState, group!.protocolType, group!.protocolData, group!.authorizedOperations],
    ['Stable', 'consumer', 'range', 0b1101_0100_1000],
  )
  const member = group!.members[0]!
  assert.deepEqual([member.memberId, member.clientId, member.clientHost], [memberId, 'fuzz', '/127.0.0.1'])
  assert.equal(Buffer.from(member.memberMetadata).toString(), 'subscription')
  assert.deepEqual(Buffer.from(member.memberAssignment), assignment)
  assert.deepEqual([none!.errorCode, none!.groupState], [ErrorCode.NONE, 'Dead'])
  const newer = await client.ask(DescribeGroups, 6, { groups: ['none'] })
  const { errorCode, errorMessage, groupState } = newer.groups[0]!
  assert.deepEqual(
    [errorCode, errorMessage, groupState],
    [ErrorCode.GROUP_ID_NOT_FOUND, 'Group none not found.', 'Dead'],
  )
  client.close()
})

test('ListGroups filters by state and type, in any case', async () => {
  const { broker, client } = await started()
  await using _ = broker
  await soleMember(client, 'one')
  await soleMember(client, 'two')
  await client.ask(LeaveGroup, 3, { groupId: 'two', members: [{ memberId: await memberOf(client, 'two') }] })
  const list = async (statesFilter: string[], typesFilter: string[]) =>
    (await client.ask(ListGroups, 5, { statesFilter, typesFilter })).groups
      .map(({ groupId, groupState, groupType, protocolType }) =>
        [groupId, groupState, groupType, protocolType].join(' '),
      )
      .toSorted()
  const one = 'one Stable classic consumer'
  const two = 'two Empty classic consumer'
  assert.deepEqual(await list([], []), [one, two])
  assert.deepEqual(await list([' empty'], ['CLASSIC']), [two])
  assert.deepEqual(await list(['Stable', 'Empty'], []), [one, two])
  assert.deepEqual(await list([], ['consumer']), [])
  assert.deepEqual(await list(['none'], ['none']), [])
  client.close()
})

async function memberOf(client: RawClient, group: string): Promise<string> {
  return (await client.ask(DescribeGroups, 6, { groups: [group] })).groups[0]!.members[0]!.memberId
}

test('DeleteGroups deletes groups without members', async () => {
  const { broker, client } = await started()
  await using _ = broker
  const memberId = await soleMember(client)
  const remove = async () =>
    (await client.ask(DeleteGroups, 2, { groupsNames: ['group', 'none', 'group'] })).results.map(
      ({ errorCode }) => errorCode,
    )
  assert.deepEqual(await remove(), [ErrorCode.NON_EMPTY_GROUP, ErrorCode.GROUP_ID_NOT_FOUND])
  await client.ask(LeaveGroup, 3, { groupId: 'group', members: [{ memberId }] })
  assert.deepEqual(await remove(), [ErrorCode.NONE, ErrorCode.GROUP_ID_NOT_FOUND])
  assert.deepEqual(await remove(), [ErrorCode.GROUP_ID_NOT_FOUND, ErrorCode.GROUP_ID_NOT_FOUND])
  client.close()
})

test('a broker that stops sends members that wait to look for another coordinator', async () => {
  const { broker, client } = await started()
  const first = await soleMember(client)
  // The first does not join again, so this waits for it.
  const waiting = join(client, 3)
  const other = await broker.connect()
  while ((await other.ask(DescribeGroups, 6, { groups: ['group'] })).groups[0]!.members.length < 2);
  assert.notEqual(first, '')
  const stopped = broker[Symbol.asyncDispose]()
  assert.equal((await waiting).errorCode, ErrorCode.NOT_COORDINATOR)
  client.close()
  other.close()
  await stopped
})
