/**
 * What configures share groups: the broker's settings, and a group's own (`kafka-configs --entity-type groups`)
 * within the broker's bounds.
 */
import type { BrokerConfigReader } from '../../../config/broker-configs.ts'
import { effectiveGroupConfig } from '../../../config/group-configs.ts'
import type { MetadataImage } from '../../../metadata/image.ts'

export class ShareSettings {
  readonly #config: BrokerConfigReader
  readonly #image: () => MetadataImage

  constructor({ config, image }: { config: BrokerConfigReader; image: () => MetadataImage }) {
    this.#config = config
    this.#image = image
  }

  get maxSize(): number {
    return this.#config.get('group.share.max.size')
  }

  /** After so long an initialisation that was begun is begun again. */
  get initializeRetryIntervalMs(): number {
    return this.#config.get('group.share.initialize.retry.interval.ms')
  }

  sessionTimeoutMs(groupId: string): number {
    return this.#ofGroup(groupId, 'share.session.timeout.ms')
  }

  heartbeatIntervalMs(groupId: string): number {
    return this.#ofGroup(groupId, 'share.heartbeat.interval.ms')
  }

  /** At least so long lies between two target assignments, so that members that join together are assigned together. */
  assignmentIntervalMs(groupId: string): number {
    return this.#ofGroup(groupId, 'share.assignment.interval.ms')
  }

  #ofGroup(
    groupId: string,
    name: 'share.session.timeout.ms' | 'share.heartbeat.interval.ms' | 'share.assignment.interval.ms',
  ): number {
    return effectiveGroupConfig(this.#config, this.#image().configs('groups', groupId), name)
  }
}
