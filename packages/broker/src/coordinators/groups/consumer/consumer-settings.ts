/** What configures consumer groups: the broker's settings, and a group's own (`kafka-configs --entity-type groups`) within the broker's bounds. */
import type { BrokerConfigReader } from '../../../config/broker-configs.ts'
import { effectiveGroupConfig } from '../../../config/group-configs.ts'
import type { MetadataImage } from '../../../metadata/image.ts'
import type { Assignor } from '../assignors/assignor.ts'

/** Between which protocols a group with members may change. */
interface MigrationPolicy {
  readonly upgrades: boolean
  readonly downgrades: boolean
}

const migrationPolicies: Readonly<Record<string, MigrationPolicy>> = {
  bidirectional: { upgrades: true, downgrades: true },
  upgrade: { upgrades: true, downgrades: false },
  downgrade: { upgrades: false, downgrades: true },
}

export interface ConsumerSettingsOptions {
  readonly config: BrokerConfigReader
  readonly image: () => MetadataImage
  readonly assignors: ReadonlyMap<string, Assignor>
}

export class ConsumerSettings {
  /** By name, the default first. */
  readonly assignors: ReadonlyMap<string, Assignor>
  readonly #config: BrokerConfigReader
  readonly #image: () => MetadataImage

  constructor({ config, image, assignors }: ConsumerSettingsOptions) {
    this.#config = config
    this.#image = image
    this.assignors = assignors
  }

  get defaultAssignor(): Assignor {
    return this.assignors.values().next().value!
  }

  get maxSize(): number {
    return this.#config.get('group.consumer.max.size')
  }

  get classicMaxSize(): number {
    return this.#config.get('group.max.size')
  }

  get migration(): MigrationPolicy {
    const policy = this.#config.get('group.consumer.migration.policy').toLowerCase()
    return migrationPolicies[policy] ?? { upgrades: false, downgrades: false }
  }

  get regexRefreshIntervalMs(): number {
    return this.#config.get('group.consumer.regex.refresh.interval.ms')
  }

  sessionTimeoutMs(groupId: string): number {
    return this.#ofGroup(groupId, 'consumer.session.timeout.ms')
  }

  heartbeatIntervalMs(groupId: string): number {
    return this.#ofGroup(groupId, 'consumer.heartbeat.interval.ms')
  }

  /** At least so long lies between two target assignments, so that members that join together are assigned together. */
  assignmentIntervalMs(groupId: string): number {
    return this.#ofGroup(groupId, 'consumer.assignment.interval.ms')
  }

  #ofGroup(
    groupId: string,
    name: 'consumer.session.timeout.ms' | 'consumer.heartbeat.interval.ms' | 'consumer.assignment.interval.ms',
  ): number {
    return effectiveGroupConfig(this.#config, this.#image().configs('groups', groupId), name)
  }
}
