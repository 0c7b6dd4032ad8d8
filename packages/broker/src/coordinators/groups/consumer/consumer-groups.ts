/** The consumer groups (KIP-848) of a shard. */
import { KafkaError } from '@millrace/protocol'
import type { MetadataImage } from '../../../metadata/image.ts'
import type { Decision } from '../../runtime/decision.ts'
import type { Replayers } from '../../runtime/replayers.ts'
import { consumerAssignors } from '../assignors/consumer-assignors.ts'
import type { ClassicGroups } from '../classic/classic-groups.ts'
import type { GroupClient, GroupPart, GroupShardContext } from '../group-part.ts'
import { TopicHashes } from '../topic-hashes.ts'
import { ClassicMembers } from './classic-members.ts'
import type { ConsumerContext } from './consumer-context.ts'
import { ConsumerGroup } from './consumer-group.ts'
import { ConsumerHeartbeats } from './consumer-heartbeats.ts'
import { ConsumerLeaves } from './consumer-leaves.ts'
import { registerConsumerReplay } from './consumer-replay.ts'
import { ConsumerSettings } from './consumer-settings.ts'
import {
  describeConsumerGroup,
  undescribedConsumerGroup,
  type DescribedConsumerGroup,
} from './describe-consumer-group.ts'
import type { HeartbeatAnswer, HeartbeatRequest } from './heartbeat-request.ts'
import { MemberTimers } from './member-timers.ts'
import { Migration } from './migration.ts'
import type { RegexEngine } from './regex-engine.ts'
import { RegularExpressions } from './regular-expressions.ts'
import { TopicSubscribers } from './topic-subscribers.ts'

export class ConsumerGroups implements GroupPart {
  readonly #context: ConsumerContext
  readonly #heartbeats: ConsumerHeartbeats
  readonly #subscribers = new TopicSubscribers()

  constructor({ shard, config, groups }: GroupShardContext, classic: ClassicGroups) {
    const assignors = consumerAssignors(config.get('group.consumer.assignors'))
    const settings = new ConsumerSettings({ config, image: () => shard.image, assignors })
    const hashes = new TopicHashes()
    const { timers: shardTimers, clock, logger } = shard
    const timers = new MemberTimers({
      timers: shardTimers,
      clock,
      logger,
      groups,
      fence: (group, member) => leaves.remove(group, [member], undefined),
    })
    const migration = new Migration({ shard, groups, settings, hashes, timers, classic })
    // Clients are not told apart yet: whoever may use the group may know of all topics.
    const regexes = new RegularExpressions({ shard, groups, settings, hashes, mayDescribe: () => true })
    this.#context = {
      shard,
      groups,
      settings,
      hashes,
      timers,
      regexes,
      migration,
      get image() {
        return shard.image
      },
    }
    const leaves = new ConsumerLeaves(this.#context)
    this.#heartbeats = new ConsumerHeartbeats(this.#context, leaves)
    classic.servedBy('consumer', new ClassicMembers(this.#context, leaves))
  }

  registerReplay(replayers: Replayers): void {
    registerConsumerReplay(replayers, {
      groups: this.#context.groups,
      newGroup: (id) => new ConsumerGroup(id, this.#subscribers.of(id)),
    })
  }

  loaded(): void {
    const { timers, settings, groups } = this.#context
    for (const group of groups) {
      if (!(group instanceof ConsumerGroup)) continue
      for (const member of group.members.values()) {
        timers.sessionGoesOn(group.id, member.id, settings.sessionTimeoutMs(group.id))
        if (member.state === 'UnrevokedPartitions') timers.rebalanceBegins(group.id, member)
      }
    }
  }

  unloaded(): void {
    this.#context.regexes.close()
  }

  metadataChanged(image: MetadataImage, changedTopics: ReadonlySet<string> | null): void {
    const { groups, regexes } = this.#context
    regexes.metadataChanged(image, changedTopics)
    if (changedTopics === null) {
      for (const group of groups) if (group instanceof ConsumerGroup) group.requestMetadataRefresh()
      return
    }
    for (const groupId of this.#subscribers.toAnyOf(changedTopics)) {
      const group = groups.get(groupId)
      if (group instanceof ConsumerGroup) group.requestMetadataRefresh()
    }
  }

  /**
   * For requests that `checkHeartbeatRequest` has let through. `engine` may be null when the request has no regular expression.
   * @throws KafkaError with the code of the answer.
   */
  heartbeat(request: HeartbeatRequest, client: GroupClient, engine: RegexEngine | null): Decision<HeartbeatAnswer> {
    return this.#heartbeats.heartbeat(request, client, engine)
  }

  describe(groupId: string): DescribedConsumerGroup {
    const { groups, settings, image } = this.#context
    try {
      const group = groups.findOfType<ConsumerGroup>(groupId, 'consumer')
      return describeConsumerGroup(group, settings.assignors, image)
    } catch (error) {
      if (!(error instanceof KafkaError)) throw error
      return undescribedConsumerGroup(groupId, error.code, error.message)
    }
  }
}
