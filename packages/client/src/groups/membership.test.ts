import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DeleteTopics, ErrorCode, KafkaError, ListGroups, ZERO_UUID } from '@millrace/protocol'
import type { Assignor, MemberSubscription } from '../assignors/assignor.ts'
import { testGroup } from './testing/test-group.ts'
import type { TestOwner } from './testing/test-owner.ts'

const STAY = new AbortController().signal
const LEAVE = { leaveGroup: true, signal: STAY }

/** Resolves when the members together have so many partitions, and each at least one. */
async function untilShared(members: readonly TestOwner[], count: number): Promise<void> {
  const isShared = (): boolean =>
    members.reduce((sum, { owned }) => sum + owned.length, 0) === count &&
    members.every(({ owned }) => owned.length > 0)
  while (!isShared()) await Promise.race(members.map((member) => member.next()))
}

for (const groupProtocol of ['classic', 'consumer'] as const) {
  const classicOptions = groupProtocol === 'classic' ? { heartbeatIntervalMs: 30 } : {}
  const options = { groupProtocol, ...classicOptions }

  test(`${groupProtocol}: partitions are shared among members as they come and go`, async (context) => {
    const { create, member } = await testGroup(context, { options })
    await create('orders', 4)
    const first = member('first')
    await untilShared([first], 4)
    assert.match(first.membership!.metadata.memberId, /./)
    assert.ok(first.membership!.metadata.generationId > 0)
    const second = member('second')
    await untilShared([first, second], 4)
    assert.deepEqual([first.owned.length, second.owned.length], [2, 2])
    await second.membership!.leave(LEAVE)
    assert.deepEqual(second.names, [])
    await untilShared([first], 4)
    await first.membership!.leave(LEAVE)
    assert.equal(first.calls.at(-1)?.kind, 'revoked')
    assert.deepEqual([...first.errors, ...second.errors], [])
  })

  test(`${groupProtocol}: a topic that grows is shared anew`, async (context) => {
    const { create, grow, member } = await testGroup(context, { options })
    await create('orders', 1)
    const only = member('only')
    await untilShared([only], 1)
    await grow('orders', 3)
    await untilShared([only], 3)
  })

  test(`${groupProtocol}: a pattern is matched with what comes later, and not with internal topics`, async (context) => {
    const { create, member } = await testGroup(context, {
      options: { ...options, metadataMaxAgeMs: 50 },
      brokerConfigs: { 'group.consumer.regex.refresh.interval.ms': 10_000 },
    })
    await create('orders-eu', 1)
    // What the broker cannot match the client does.
    const pattern = groupProtocol === 'classic' ? /^orders|consumer_offsets/ : /^(?!x)orders|consumer_offsets/
    const only = member('only', {}, pattern)
    await untilShared([only], 1)
    await create('orders-us', 1)
    await untilShared([only], 2)
    assert.deepEqual(only.names, ['orders-eu-0', 'orders-us-0'])
    assert.deepEqual(only.membership!.subscribedTopics, ['orders-eu', 'orders-us'])
  })

  test(`${groupProtocol}: what the subscription lost is given up, what it gained is had`, async (context) => {
    const { create, member } = await testGroup(context, { options })
    await create('orders', 1)
    await create('visits', 1)
    const only = member('only', {}, ['orders'])
    await untilShared([only], 1)
    only.subscription = ['visits']
    only.membership!.subscriptionChanged()
    await only.until(() => only.names[0] === 'visits-0')
  })

  test(`${groupProtocol}: a static member that comes back has its partitions again, and the others notice nothing`, async (context) => {
    const { create, member } = await testGroup(context, {
      options: { ...options, ...(groupProtocol === 'classic' ? { sessionTimeoutMs: 20_000 } : {}) },
    })
    await create('orders', 4)
    const other = member('other')
    const before = member('static', { groupInstanceId: 'one' })
    await untilShared([other, before], 4)
    const { names } = before
    await before.membership!.leave({ leaveGroup: false, signal: STAY })
    const calls = other.calls.length
    const after = member('static again', { groupInstanceId: 'one' })
    await untilShared([other, after], 4)
    assert.deepEqual(after.names, names)
    assert.deepEqual(other.calls.slice(calls), [])
  })

  test(`${groupProtocol}: of two members with one instance id one ends with an error that says why`, async (context) => {
    const { create, member } = await testGroup(context, { options })
    await create('orders', 1)
    const first = member('first', { groupInstanceId: 'same' })
    await untilShared([first], 1)
    const second = member('second', { groupInstanceId: 'same' })
    await Promise.race([first, second].map((one) => one.until(() => one.errors.length > 0)))
    const [error] = [...first.errors, ...second.errors] as KafkaError[]
    assert.match(error!.message, /group billing: .*groupInstanceId same.*; each consumer needs its own/)
    const expected = groupProtocol === 'classic' ? ErrorCode.FENCED_INSTANCE_ID : ErrorCode.UNRELEASED_INSTANCE_ID
    assert.equal(error!.code, expected)
  })

  test(`${groupProtocol}: a member that was removed loses what it had, and joins again`, async (context) => {
    const { create, member, remove } = await testGroup(context, { options })
    await create('orders', 2)
    const only = member('only')
    await untilShared([only], 2)
    const { memberId } = only.membership!.metadata
    await remove(memberId)
    await only.until(() => only.calls.some(({ kind }) => kind === 'lost'))
    await untilShared([only], 2)
    assert.deepEqual(
      only.calls.map(({ kind }) => kind),
      ['assigned', 'lost', 'assigned'],
    )
  })

  test(`${groupProtocol}: leaving ends while the coordinator is away`, async (context) => {
    const { create, member, stopBroker } = await testGroup(context, { options })
    await create('orders', 1)
    const only = member('only', { requestTimeoutMs: 200 })
    await untilShared([only], 1)
    await stopBroker()
    await only.membership!.leave(LEAVE)
    assert.deepEqual(only.names, [])
  })
}

test('consumer: the broker matches the patterns it can, as JavaScript does', async (context) => {
  const { create, member } = await testGroup(context, {
    options: { groupProtocol: 'consumer', metadataMaxAgeMs: 100_000 },
    brokerConfigs: { 'group.consumer.regex.refresh.interval.ms': 10_000 },
  })
  await create('eu.orders', 1)
  await create('orders', 1)
  await create('ordersx', 1)
  const only = member('only', {}, /orders$/)
  await untilShared([only], 2)
  assert.deepEqual(only.names, ['eu.orders-0', 'orders-0'])
})

test('eager members give up everything before they join, cooperative ones only what is taken', async (context) => {
  const { create, member } = await testGroup(context, {
    options: { groupProtocol: 'classic', heartbeatIntervalMs: 30 },
  })
  await create('orders', 4)
  for (const strategy of ['sticky', 'cooperative-sticky'] as const) {
    const first = member('first', { partitionAssignmentStrategy: [strategy] })
    await untilShared([first], 4)
    const second = member('second', { partitionAssignmentStrategy: [strategy] })
    await untilShared([first, second], 4)
    const revoked = first.calls.flatMap((call) => (call.kind === 'revoked' ? [call.partitions.length] : []))
    assert.deepEqual(revoked[0], strategy === 'sticky' ? 4 : 2)
    await second.membership!.leave(LEAVE)
    await first.membership!.leave(LEAVE)
  }
})

test('a group moves from eager to cooperative while its members are replaced one by one', async (context) => {
  const { create, member } = await testGroup(context, {
    options: { groupProtocol: 'classic', heartbeatIntervalMs: 30 },
  })
  await create('orders', 4)
  // Two rounds, as KIP-429 has it: first both are offered, then only the new one.
  let members = ['a', 'b'].map((name) => member(name, { partitionAssignmentStrategy: ['range'] }))
  await untilShared(members, 4)
  for (const partitionAssignmentStrategy of [['cooperative-sticky', 'range'], ['cooperative-sticky']]) {
    for (const old of members) {
      await old.membership!.leave(LEAVE)
      members = [...members.filter((one) => one !== old), member(`${old.name}'`, { partitionAssignmentStrategy })]
      await untilShared(members, 4)
    }
  }
  assert.deepEqual(
    members.flatMap(({ errors }) => errors),
    [],
  )
})

test('an assignor of the application is asked, and told what came of it', async (context) => {
  const { create, member } = await testGroup(context, { options: { groupProtocol: 'auto', heartbeatIntervalMs: 3000 } })
  await create('orders', 3)
  const told: number[] = []
  const onlyFirst: Assignor = {
    name: 'only-first',
    userData: () => Uint8Array.of(7),
    assign: (topics, members) => {
      const [[first, { userData }]] = [...members] as [[string, MemberSubscription]]
      assert.deepEqual([...userData!], [7])
      const partitions = [...Array(topics.partitionCount('orders')!).keys()].map((partition) => ({
        topic: 'orders',
        partition,
      }))
      return new Map([[first, { partitions, userData: Uint8Array.of(8) }]])
    },
    onAssignment: ({ partitions, userData }, { groupId }) => {
      assert.deepEqual([groupId, ...userData!], ['billing', 8])
      told.push(partitions.length)
    },
  }
  const only = member('only', { partitionAssignmentStrategy: [onlyFirst] })
  await untilShared([only], 3)
  assert.deepEqual(told, [3])
})

test('an assignor that gives away what is owned ends a cooperative member', async (context) => {
  const { create, member } = await testGroup(context, {
    options: { groupProtocol: 'classic', heartbeatIntervalMs: 30 },
  })
  await create('orders', 1)
  let turn = 0
  const robber = (): Assignor => ({
    name: 'robber',
    supportedProtocols: ['cooperative'],
    assign: (_topics, members) => {
      const ids = [...members.keys()]
      return new Map([[ids[turn++ % ids.length]!, { partitions: [{ topic: 'orders', partition: 0 }] }]])
    },
  })
  const first = member('first', { partitionAssignmentStrategy: [robber()] })
  await untilShared([first], 1)
  const second = member('second', { partitionAssignmentStrategy: [robber()] })
  await Promise.race([first, second].map((one) => one.until(() => one.errors.length > 0)))
  const [error] = [...first.errors, ...second.errors]
  assert.match(error!.message, /the assignor robber says it is cooperative, but gives orders-0 to .* while .* owns it/)
})

test('members without a common assignor are told so', async (context) => {
  const { create, member } = await testGroup(context, { options: { groupProtocol: 'classic' } })
  await create('orders', 1)
  const first = member('first', { partitionAssignmentStrategy: ['range'] })
  await untilShared([first], 1)
  const second = member('second', { partitionAssignmentStrategy: ['sticky'] })
  await second.until(() => second.errors.length > 0)
  assert.match(second.errors[0]!.message, /no assignor in common .* see partitionAssignmentStrategy/)
})

test('auto: the newer protocol where the broker has it, the classic one where it has not or something of it is asked for', async (context) => {
  const { create, member, cluster } = await testGroup(context, { options: { groupProtocol: 'auto' } })
  await create('orders', 1)
  const typeOfGroup = async (): Promise<string> => {
    const { groups } = await cluster.send({ coordinatorOf: 'billing', kind: 'group' }, ListGroups, {})
    return groups[0]!.groupType
  }
  const newer = member('newer')
  await untilShared([newer], 1)
  assert.equal(await typeOfGroup(), 'consumer')
  await newer.membership!.leave(LEAVE)
  const older = member('older', { sessionTimeoutMs: 20_000 })
  await untilShared([older], 1)
  assert.equal(await typeOfGroup(), 'classic')
})

test('auto: members of both protocols are in one group while its applications are updated', async (context) => {
  const { create, member } = await testGroup(context)
  await create('orders', 4)
  const older = member('older', { groupProtocol: 'classic', heartbeatIntervalMs: 30 })
  await untilShared([older], 4)
  const newer = member('newer', { groupProtocol: 'auto' })
  await untilShared([older, newer], 4)
  await older.membership!.leave(LEAVE)
  await untilShared([newer], 4)
  const again = member('older again', { groupProtocol: 'classic', heartbeatIntervalMs: 30 })
  await untilShared([newer, again], 4)
  assert.deepEqual(
    [newer, older, again].flatMap(({ errors }) => errors),
    [],
  )
})

test('auto: a live classic group that the broker does not convert is joined as such', async (context) => {
  const { create, member } = await testGroup(context, {
    brokerConfigs: { 'group.consumer.migration.policy': 'disabled' },
  })
  await create('orders', 2)
  const older = member('older', { groupProtocol: 'classic', heartbeatIntervalMs: 30 })
  await untilShared([older], 2)
  const newer = member('newer', { groupProtocol: 'auto' })
  await untilShared([older, newer], 2)
  const strict = member('strict', { groupProtocol: 'consumer' })
  await strict.until(() => strict.errors.length > 0)
  assert.equal((strict.errors[0] as KafkaError).code, ErrorCode.GROUP_ID_NOT_FOUND)
})

test('consumer: an assignor that the broker has not is an error that says so', async (context) => {
  const { create, member } = await testGroup(context)
  await create('orders', 1)
  const only = member('only', { groupProtocol: 'consumer', groupRemoteAssignor: 'mine' })
  await only.until(() => only.errors.length > 0)
  assert.match(only.errors[0]!.message, /does not have the assignor asked for; see groupRemoteAssignor/)
})

test('consumer: a topic that is made anew is given up and taken again', async (context) => {
  const { create, member, cluster } = await testGroup(context, { options: { groupProtocol: 'consumer' } })
  await create('orders', 1)
  const only = member('only')
  await untilShared([only], 1)
  await cluster.send('controller', DeleteTopics, {
    topics: [{ name: 'orders', topicId: ZERO_UUID }],
    topicNames: ['orders'],
    timeoutMs: 10_000,
  })
  await only.until(() => only.owned.length === 0)
  await create('orders', 2)
  await untilShared([only], 2)
})
