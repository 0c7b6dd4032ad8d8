/** What the brokers say of themselves: coordinators, APIs, features; and the settings of groups. */
import {
  ApiVersions,
  ConsumerGroupHeartbeat,
  DescribeConfigs,
  FindCoordinator,
  IncrementalAlterConfigs,
  ListConfigResources,
  UpdateFeatures,
} from '@millrace/protocol'
import type { Scenario } from '../scenario.ts'
import { join } from './consumer-members.ts'

const groupResource = 32

export const cluster: readonly Scenario[] = [
  {
    name: 'coordinators are found, in every version',
    async run(world) {
      const client = await world.client('finder')
      for (const version of world.versions(FindCoordinator))
        for (const keyType of version === 0 ? [0] : [0, 1, 2, 3, -1])
          for (const key of ['key', '', 'a'.repeat(300), 'group:AAECAwQFBgcICQoLDA0ODw:0', 'group:not-an-id:0', 'g:x'])
            await client.ask(FindCoordinator, version, { key, keyType, coordinatorKeys: [key, 'other', key] })
      for (const version of world.versions(FindCoordinator, 4))
        await client.ask(FindCoordinator, version, { keyType: 0, coordinatorKeys: [] })
    },
  },
  {
    name: 'APIs and features, in every version',
    async run(world) {
      const client = await world.client('asker')
      for (const version of world.versions(ApiVersions))
        await client.ask(ApiVersions, version, { clientSoftwareName: 'differential', clientSoftwareVersion: '1.0' })
      await client.ask(ApiVersions, 4, { clientSoftwareName: '', clientSoftwareVersion: '1.0' })
      await client.ask(ApiVersions, 4, { clientSoftwareName: 'a b', clientSoftwareVersion: '1.0' })
      await client.ask(ApiVersions, 3, { clientSoftwareName: 'x', clientSoftwareVersion: '-' })
    },
  },
  {
    name: 'feature levels that may not be',
    async run(world) {
      const client = await world.client('upgrader')
      for (const version of world.versions(UpdateFeatures)) {
        const update = (feature: string, maxVersionLevel: number, upgradeType = 1, more = {}) =>
          client.ask(UpdateFeatures, version, {
            timeoutMs: 10_000,
            validateOnly: true,
            featureUpdates: [
              { feature, maxVersionLevel, ...(version === 0 ? { allowDowngrade: upgradeType > 1 } : { upgradeType }) },
            ],
            ...more,
          })
        if (version === 0) continue // has no way to only validate
        for (const upgradeType of [0, 1, 2, 3, 4]) {
          await update('transaction.version', 2, upgradeType)
          await update('transaction.version', 1, upgradeType)
          await update('transaction.version', 3, upgradeType)
          await update('transaction.version', 0, upgradeType)
          await update('transaction.version', -1, upgradeType)
          await update('group.version', 0, upgradeType)
          await update('share.version', 0, upgradeType)
          await update('share.version', 2, upgradeType)
          await update('unknown.version', 1, upgradeType)
          await update('', 1, upgradeType)
        }
        await update('', 1, 1, { featureUpdates: [] })
      }
    },
  },
  {
    name: 'settings of groups are changed, refused, described, and honoured',
    needs: [ConsumerGroupHeartbeat, IncrementalAlterConfigs],
    async run(world) {
      const client = await world.client('setter')
      const topic = await world.topic('topic', 2)
      const groupId = world.name('group')
      const set = (name: string, value: string | null, configOperation = 0, resourceName = groupId) =>
        client.ask(IncrementalAlterConfigs, 1, {
          resources: [{ resourceType: groupResource, resourceName, configs: [{ name, value, configOperation }] }],
          validateOnly: false,
        })
      const shown = async (configurationKeys: string[] | null) => {
        for (const version of world.versions(DescribeConfigs))
          await client.ask(DescribeConfigs, version, {
            resources: [{ resourceType: groupResource, resourceName: groupId, configurationKeys }],
            includeSynonyms: version >= 1,
            includeDocumentation: false,
          })
      }
      await shown(null)
      await set('consumer.heartbeat.interval.ms', '6000')
      await join(world, groupId, 'm1', [topic])
      await set('consumer.session.timeout.ms', '50000')
      for (const [name, value] of [
        ['consumer.heartbeat.interval.ms', '1'],
        ['consumer.heartbeat.interval.ms', '1000000'],
        ['consumer.heartbeat.interval.ms', 'x'],
        ['consumer.heartbeat.interval.ms', ''],
        ['consumer.heartbeat.interval.ms', '-1'],
        ['consumer.session.timeout.ms', '5000'],
        ['consumer.session.timeout.ms', '1'],
        ['consumer.session.timeout.ms', '70000'],
        ['consumer.assignment.interval.ms', '0'],
        ['consumer.assignment.interval.ms', '10000000'],
        ['share.heartbeat.interval.ms', '5000'],
        ['share.heartbeat.interval.ms', '1'],
        ['share.session.timeout.ms', '45000'],
        ['share.session.timeout.ms', '100'],
        ['share.record.lock.duration.ms', '30000'],
        ['share.record.lock.duration.ms', '1'],
        ['share.record.lock.duration.ms', '1000000'],
        ['share.delivery.count.limit', '3'],
        ['share.delivery.count.limit', '1'],
        ['share.delivery.count.limit', '100'],
        ['share.partition.max.record.locks', '500'],
        ['share.partition.max.record.locks', '1'],
        ['share.auto.offset.reset', 'earliest'],
        ['share.auto.offset.reset', 'by_duration:PT1H'],
        ['share.auto.offset.reset', 'by_duration:-PT1H'],
        ['share.auto.offset.reset', 'by_duration:x'],
        ['share.auto.offset.reset', 'none'],
        ['share.isolation.level', 'read_committed'],
        ['share.isolation.level', 'READ_COMMITTED'],
        ['share.isolation.level', 'x'],
        ['share.renew.acknowledge.enable', 'false'],
        ['share.renew.acknowledge.enable', 'x'],
        ['streams.heartbeat.interval.ms', '5000'],
        ['streams.num.standby.replicas', '1'],
        ['streams.num.standby.replicas', '9'],
        ['unknown', '1'],
        ['', '1'],
      ] as const)
        await set(name, value)
      await set('consumer.heartbeat.interval.ms', null)
      await set('consumer.heartbeat.interval.ms', '1', 2)
      await set('consumer.heartbeat.interval.ms', '1', 3)
      await set('consumer.heartbeat.interval.ms', '1', 4)
      await set('consumer.heartbeat.interval.ms', '5000', 0, '')
      await shown(null)
      await shown(['consumer.session.timeout.ms', 'unknown'])
      await set('consumer.heartbeat.interval.ms', null, 1)
      await join(world, groupId, 'm1', [topic])
      await shown(['consumer.heartbeat.interval.ms'])
      for (const version of world.versions(ListConfigResources))
        await client.ask(ListConfigResources, version, { resourceTypes: [groupResource] })
    },
  },
]
