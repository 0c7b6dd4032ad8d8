// What our admin does to settings, rights, quotas and features, and what comes of it.
import { ErrorCode, settled, type Admin } from '@millrace/client'
import { eventually } from '../checks/eventually.ts'
import { expectEqual, expectTrue } from '../expect.ts'
import type { Effect } from './effect.ts'
import { codeOf, type Stage } from './stage.ts'

export function settingEffects(stage: Stage): readonly Effect[] {
  return [
    {
      what: 'configs of lists are extended, reduced, deleted; of brokers and loggers changed',
      run: () => configs(stage),
    },
    { what: 'ACLs are found by each kind of filter, and deleted by it', run: () => acls(stage) },
    { what: 'quotas are found by user, default and strictly, validated, and removed', run: () => quotas(stage) },
    { what: 'SCRAM credentials are deleted, and bad ones refused', run: () => scram(stage) },
    { what: 'a feature is lowered and raised', run: () => features(stage) },
    { what: 'what the cluster refuses: brokers, voters, directories', run: () => refusals(stage) },
  ]
}

async function configs({ admin }: Stage): Promise<void> {
  await admin.createTopics([{ name: 'configured', configs: { 'cleanup.policy': 'compact' } }])
  const topic = { type: 'TOPIC', name: 'configured' } as const
  const valueOf = async (name: string, resource: Parameters<Admin['describeConfigs']>[0][number] = topic) =>
    (await admin.describeConfigs([resource]))[0]!.configs[name]
  const policy = async (value: string) =>
    eventually(async () => expectEqual((await valueOf('cleanup.policy'))?.value, value, 'cleanup.policy'))
  await admin.incrementalAlterConfigs([{ ...topic, append: { 'cleanup.policy': 'delete' } }])
  await policy('compact,delete')
  await admin.incrementalAlterConfigs([{ ...topic, subtract: { 'cleanup.policy': ['compact'] } }])
  await policy('delete')
  await admin.incrementalAlterConfigs([{ ...topic, set: { 'cleanup.policy': 'compact' } }], { validateOnly: true })
  await policy('delete')
  expectEqual(
    await codeOf(admin.incrementalAlterConfigs([{ ...topic, set: { nonsense: 1 } }])),
    ErrorCode.INVALID_CONFIG,
    'bad',
  )
  const logger = { type: 'BROKER_LOGGER', name: '2' } as const
  await admin.incrementalAlterConfigs([{ ...logger, set: { 'kafka.server.ReplicaManager': 'DEBUG' } }])
  expectEqual((await valueOf('kafka.server.ReplicaManager', logger))?.value, 'DEBUG', 'level of a logger')
  await admin.incrementalAlterConfigs([{ ...logger, set: { 'kafka.server.ReplicaManager': 'INFO' } }])
  const broker = { type: 'BROKER', name: '2' } as const
  await admin.incrementalAlterConfigs([{ ...broker, set: { 'log.cleaner.threads': 2 } }])
  await eventually(async () => {
    const config = await valueOf('log.cleaner.threads', broker)
    expectEqual([config?.value, config?.source], ['2', 'DYNAMIC_BROKER_CONFIG'], 'of a broker')
  })
  await admin.incrementalAlterConfigs([{ ...broker, delete: ['log.cleaner.threads'] }])
  const groupsOnly = await admin.listConfigResources(['GROUP', 'CLIENT_METRICS'])
  expectTrue(
    groupsOnly.every(({ type }) => type === 'GROUP' || type === 'CLIENT_METRICS'),
    'other types are listed',
  )
}

async function acls({ admin }: Stage): Promise<void> {
  const base = { resourceType: 'TOPIC', operation: 'READ', principal: 'User:zoe' } as const
  await admin.createAcls([
    { ...base, resourceName: 'zebra' },
    { ...base, resourceName: 'ze', patternType: 'PREFIXED' },
    { ...base, resourceName: '*', host: '10.1.1.1' },
  ])
  const count = async (filter: Parameters<Admin['describeAcls']>[0]) =>
    (await admin.describeAcls({ principal: 'User:zoe', ...filter })).length
  await eventually(async () => {
    expectEqual(await count({}), 3, 'all of zoe')
    expectEqual(await count({ resourceName: 'zebra' }), 1, 'by name')
    expectEqual(await count({ resourceName: 'zebra', patternType: 'MATCH', resourceType: 'TOPIC' }), 3, 'by match')
    expectEqual(await count({ patternType: 'PREFIXED' }), 1, 'by pattern')
    expectEqual(await count({ host: '10.1.1.1' }), 1, 'by host')
    expectEqual(await count({ operation: 'WRITE' }), 0, 'by operation')
    expectEqual(await count({ permissionType: 'ALLOW' }), 3, 'by permission')
  })
  const [one, none] = await admin.deleteAcls([
    { principal: 'User:zoe', patternType: 'PREFIXED' },
    { principal: 'User:nobody' },
  ])
  expectEqual(
    one.deleted,
    [
      {
        resourceType: 'TOPIC',
        resourceName: 'ze',
        patternType: 'PREFIXED',
        principal: 'User:zoe',
        host: '*',
        operation: 'READ',
        permissionType: 'ALLOW',
      },
    ],
    'deleted',
  )
  expectEqual(none.deleted, [], 'deleted of nobody')
  await eventually(async () => expectEqual(await count({}), 2, 'left'))
  expectEqual(
    await codeOf(admin.createAcls([{ ...base, resourceType: 'CLUSTER', resourceName: 'zebra' }])),
    ErrorCode.INVALID_REQUEST,
    'an ACL of the cluster by another name',
  )
}

async function quotas({ admin }: Stage): Promise<void> {
  await admin.alterClientQuotas([
    { entity: { user: 'zoe' }, set: { producer_byte_rate: 5 } },
    { entity: { user: 'zoe', 'client-id': null }, set: { producer_byte_rate: 6 } },
  ])
  await admin.alterClientQuotas([{ entity: { user: 'zoe' }, set: { producer_byte_rate: 9 } }], { validateOnly: true })
  const rates = async (...filter: Parameters<Admin['describeClientQuotas']>) =>
    (await admin.describeClientQuotas(...filter))
      .map(({ quotas: { producer_byte_rate: rate } }) => rate)
      .toSorted((a, b) => (a ?? 0) - (b ?? 0))
  await eventually(async () => {
    expectEqual(await rates({ components: [{ entityType: 'user', name: 'zoe' }] }), [5, 6], 'of zoe')
    expectEqual(await rates({ components: [{ entityType: 'user', name: 'zoe' }], strict: true }), [5], 'of zoe alone')
    expectEqual(await rates({ components: [{ entityType: 'client-id', name: null }] }), [6], 'of the default client')
    expectTrue((await rates({ components: [{ entityType: 'user' }] })).length >= 2, 'of any user')
  })
  await admin.alterClientQuotas([
    { entity: { user: 'zoe' }, delete: ['producer_byte_rate'] },
    { entity: { 'client-id': null, user: 'zoe' }, delete: ['producer_byte_rate'] },
  ])
  await eventually(async () =>
    expectEqual(await rates({ components: [{ entityType: 'user', name: 'zoe' }] }), [], 'left'),
  )
  const [good, bad] = await settled(
    admin.alterClientQuotas([
      { entity: { user: 'zoe' }, set: { producer_byte_rate: 1 } },
      { entity: { user: 'zed' }, set: { nonsense: 1 } },
    ]),
  )
  expectEqual([good.status, bad.status], ['fulfilled', 'rejected'], 'outcomes')
}

async function scram({ admin }: Stage): Promise<void> {
  const user = 'zoe'
  await admin.alterUserScramCredentials([{ user, mechanism: 'SCRAM-SHA-512', password: 'x', iterations: 5000 }])
  await eventually(async () =>
    expectEqual(
      await admin.describeUserScramCredentials([user]),
      [{ user, credentials: [{ mechanism: 'SCRAM-SHA-512', iterations: 5000 }] }],
      'credentials',
    ),
  )
  const few = admin.alterUserScramCredentials([{ user, mechanism: 'SCRAM-SHA-256', password: 'x', iterations: 10 }])
  expectEqual(await codeOf(few), ErrorCode.UNACCEPTABLE_CREDENTIAL, 'few iterations')
  await admin.alterUserScramCredentials([{ user, mechanism: 'SCRAM-SHA-512', delete: true }])
  await eventually(async () =>
    expectEqual(
      await codeOf(admin.describeUserScramCredentials([user])),
      ErrorCode.RESOURCE_NOT_FOUND,
      'after deleting',
    ),
  )
}

async function features({ admin }: Stage): Promise<string> {
  const feature = 'eligible.leader.replicas.version'
  const level = async () => (await admin.describeFeatures()).finalized[feature]?.max ?? 0
  const before = await level()
  const other = before === 0 ? 1 : 0
  const type = (to: number) => (to > before ? 'UPGRADE' : 'SAFE_DOWNGRADE')
  await admin.updateFeatures([{ feature, maxVersionLevel: other, upgradeType: type(other) }], { validateOnly: true })
  expectEqual(await level(), before, 'level after validating')
  await admin.updateFeatures([{ feature, maxVersionLevel: other, upgradeType: type(other) }])
  await eventually(async () => expectEqual(await level(), other, 'level'))
  await admin.updateFeatures([
    { feature, maxVersionLevel: before, upgradeType: before > other ? 'UPGRADE' : 'SAFE_DOWNGRADE' },
  ])
  await eventually(async () => expectEqual(await level(), before, 'level as before'))
  const bad = admin.updateFeatures([{ feature, maxVersionLevel: 99 }])
  expectEqual(await codeOf(bad), ErrorCode.INVALID_UPDATE_VERSION, 'a level that does not exist')
  return `${before} to ${other} and back`
}

async function refusals({ admin }: Stage): Promise<void> {
  expectEqual(await codeOf(admin.unregisterBroker(99)), ErrorCode.BROKER_ID_NOT_REGISTERED, 'unregistering no broker')
  const directoryId = 'AAAAAAAAAAAAAAAAAAAAAQ'
  const endpoints = [{ name: 'CONTROLLER', host: '127.0.0.1', port: 1 }]
  expectEqual(
    await codeOf(admin.addRaftVoter({ voterId: 7, directoryId, endpoints })),
    ErrorCode.UNSUPPORTED_VERSION,
    'a voter, where voters are fixed',
  )
  expectEqual(
    await codeOf(admin.removeRaftVoter({ voterId: 1, directoryId })),
    ErrorCode.UNSUPPORTED_VERSION,
    'one fewer',
  )
  expectEqual(
    await codeOf(admin.removeRaftVoter({ voterId: 1, directoryId }, { clusterId: 'AAAAAAAAAAAAAAAAAAAAAQ' })),
    ErrorCode.INCONSISTENT_CLUSTER_ID,
    'of another cluster',
  )
  const elsewhere = admin.alterReplicaLogDirs([{ topic: 'led', partition: 0, brokerId: 1, path: '/no/such/place' }])
  expectEqual(await codeOf(elsewhere), ErrorCode.LOG_DIR_NOT_FOUND, 'no such directory')
  expectEqual(await codeOf(admin.createDelegationToken()), ErrorCode.DELEGATION_TOKEN_REQUEST_NOT_ALLOWED, 'a token')
  await admin.clientInstanceId({ timeoutMs: 5000 }).then(
    () => expectTrue(false, 'a client instance id came from a cluster that collects no metrics'),
    () => {},
  )
}
