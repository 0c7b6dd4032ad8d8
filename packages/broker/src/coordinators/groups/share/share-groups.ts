/** The share groups (KIP-932) of a shard. */
import type { Request, ResponseInput, ShareGroupDescribe } from '@millrace/protocol'
import type { MetadataImage } from '../../../metadata/image.ts'
import type { CoordinatorRecord, Decision } from '../../runtime/decision.ts'
import type { Replayers } from '../../runtime/replayers.ts'
import { simpleAssignor } from '../assignors/simple-assignor.ts'
import type { GroupClient, GroupPart, GroupShardContext } from '../group-part.ts'
import { TopicHashes } from '../topic-hashes.ts'
import type { ShareContext } from './share-context.ts'
import { ShareGroup } from './share-group.ts'
import { ShareHeartbeats, type HeartbeatOutcome, type ShareHeartbeatRequest } from './share-heartbeats.ts'
import { registerShareReplay } from './share-replay.ts'
import { statePartitionsRecord } from './share-records.ts'
import { ShareSessionTimers } from './share-session-timers.ts'
import { ShareSettings } from './share-settings.ts'
import { ShareStates } from './share-states.ts'
import { mentionsAny, withoutTopics } from './state-partitions.ts'

export type DescribedShareGroup = ResponseInput<typeof ShareGroupDescribe>['groups'][number]
export type DescribeRequest = Request<typeof ShareGroupDescribe>

export class ShareGroups implements GroupPart {
  /** What of the groups is kept at the share coordinator. */
  readonly states: ShareStates
  readonly #context: ShareContext
  readonly #heartbeats: ShareHeartbeats
  #isLoaded = false
  #image: MetadataImage | null = null

  constructor({ shard, config, groups }: GroupShardContext) {
    const settings = new ShareSettings({ config, image: () => shard.image })
    const sessions = new ShareSessionTimers({
      timers: shard.timers,
      logger: shard.logger,
      groups,
      settings,
      remove: (group, member) => this.#heartbeats.remove(group, member),
    })
    this.#context = {
      shard,
      groups,
      settings,
      sessions,
      hashes: new TopicHashes(),
      get image() {
        return shard.image
      },
    }
    this.#heartbeats = new ShareHeartbeats(this.#context)
    this.states = new ShareStates(this.#context)
  }

  registerReplay(replayers: Replayers): void {
    registerShareReplay(replayers, {
      groups: this.#context.groups,
      nowMs: () => (this.#isLoaded ? this.#context.shard.clock.monotonicMs() : -Infinity),
    })
  }

  loaded(): void {
    this.#isLoaded = true
    for (const group of this.#all())
      for (const memberId of group.members.keys()) this.#context.sessions.goesOn(group.id, memberId)
  }

  metadataChanged(image: MetadataImage, changedTopics: ReadonlySet<string> | null): void {
    const before = this.#image
    this.#image = image
    for (const group of this.#all())
      if (changedTopics === null || [...changedTopics].some((topic) => group.isSubscribedTo(topic)))
        group.requestMetadataRefresh()
    if (before !== null && changedTopics !== null && changedTopics.size > 0) this.#forgetDeletedTopics(before, image)
  }

  /**
   * For requests that `checkShareHeartbeat` has let through.
   * @throws KafkaError with the code of the answer.
   */
  heartbeat(
    request: ShareHeartbeatRequest,
    client: GroupClient,
    initializesFirst: boolean,
  ): Decision<HeartbeatOutcome> {
    return this.#heartbeats.heartbeat(request, client, initializesFirst)
  }

  /** @throws KafkaError GROUP_ID_NOT_FOUND. */
  describe(groupId: string): DescribedShareGroup {
    const { groups, image } = this.#context
    const group = groups.findOfType<ShareGroup>(groupId, 'share')
    return {
      errorCode: 0,
      groupId,
      groupState: group.stateName,
      groupEpoch: group.epoch,
      assignmentEpoch: group.targetEpoch,
      assignorName: simpleAssignor.name,
      members: Array.from(group.members.values(), (member) => ({
        memberId: member.id,
        rackId: member.rackId,
        memberEpoch: member.epoch,
        clientId: member.clientId,
        clientHost: member.clientHost,
        subscribedTopicNames: [...member.subscribedTopics],
        assignment: {
          topicPartitions: Array.from(member.assigned).flatMap(([topicId, partitions]) => {
            const topicName = image.topicNameById(topicId)
            return topicName === undefined ? [] : [{ topicId, topicName, partitions: [...partitions] }]
          }),
        },
      })),
    }
  }

  *#all(): Generator<ShareGroup> {
    for (const group of this.#context.groups) if (group instanceof ShareGroup) yield group
  }

  /** The share coordinator forgets their state by itself. */
  #forgetDeletedTopics(before: MetadataImage, image: MetadataImage): void {
    const isGone = (topicId: string): boolean =>
      before.topicNameById(topicId) !== undefined && image.topicNameById(topicId) === undefined
    const records: CoordinatorRecord[] = []
    for (const group of this.#all())
      if (mentionsAny(group.statePartitions, isGone))
        records.push(statePartitionsRecord(group.id, withoutTopics(group.statePartitions, isGone)))
    if (records.length === 0) return
    const { shard } = this.#context
    shard
      .write(() => ({ records, response: undefined, isAtomic: false }))
      .catch((error: unknown) => {
        shard.logger.warn('share groups still mention topics that are deleted', { error })
      })
  }
}
