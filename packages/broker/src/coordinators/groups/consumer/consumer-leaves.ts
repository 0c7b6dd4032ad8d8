/** How members go: by themselves, because they were not heard of, or as static members that will be back. */
import { ErrorCode } from '@millrace/protocol'
import type { CoordinatorRecord, Decision } from '../../runtime/decision.ts'
import type { ConsumerContext } from './consumer-context.ts'
import type { ConsumerGroup } from './consumer-group.ts'
import { leavingForAWhileEpoch, type ConsumerMember } from './consumer-member.ts'
import { currentAssignmentRecord, groupEpochRecord, memberRemoval, regexTombstone } from './consumer-records.ts'
import { staticMember } from './group-update.ts'
import type { HeartbeatAnswer, HeartbeatRequest } from './heartbeat-request.ts'
import { ownsNothing, withEpoch } from './owned-partitions.ts'

export class ConsumerLeaves {
  readonly #context: ConsumerContext

  constructor(context: ConsumerContext) {
    this.#context = context
  }

  /** A heartbeat with one of the epochs that say so. @throws KafkaError */
  leave(request: HeartbeatRequest): Decision<HeartbeatAnswer> {
    const { groupId, memberId, memberEpoch, instanceId } = request
    const { groups, shard } = this.#context
    const group = groups.findOfType<ConsumerGroup>(groupId, 'consumer')
    const member = instanceId === null ? group.member(memberId) : staticMember(group, instanceId, memberId)
    const answer: HeartbeatAnswer = left(memberId, memberEpoch)
    const isBack = instanceId !== null && memberEpoch === leavingForAWhileEpoch
    shard.logger.debug(isBack ? 'a static member goes for a while' : 'a member has left its group', {
      group: groupId,
      member: memberId,
    })
    return isBack ? this.#leaveForAWhile(group, member) : this.remove(group, [member], answer)
  }

  /** Its partitions stay with it until its session ends, or another comes with its instance id. */
  #leaveForAWhile(group: ConsumerGroup, member: ConsumerMember): Decision<HeartbeatAnswer> {
    const away: ConsumerMember = {
      ...member,
      epoch: leavingForAWhileEpoch,
      assigned: withEpoch(0, member.assigned),
      pendingRevocation: ownsNothing,
    }
    return {
      records: [currentAssignmentRecord(group.id, away)],
      response: left(member.id, leavingForAWhileEpoch),
    }
  }

  /** Takes members out of their group, which may become a classic one when no others are left. */
  remove<T>(group: ConsumerGroup, members: readonly ConsumerMember[], response: T): Decision<T> {
    if (members.length === 0) return { records: [], response }
    const { migration, hashes, timers, image } = this.#context
    if (migration.shouldDowngradeWithout(group, members))
      return { ...migration.downgradeWithout(group, members), response }
    const records: CoordinatorRecord[] = members.flatMap(({ id }) => memberRemoval(group.id, id))
    const subscriptions = group.subscriptions.copy()
    for (const member of members) subscriptions.replace(member, null)
    for (const regex of new Set(members.map(({ subscribedRegex }) => subscribedRegex)))
      if (regex !== '' && subscriptions.subscribersOf(regex) === 0) records.push(regexTombstone(group.id, regex))
    for (const regex of subscriptions.unusedRegexes()) subscriptions.resolve(regex, null)
    records.push(groupEpochRecord(group.id, group.epoch + 1, hashes.ofTopics(subscriptions.topics, image)))
    return {
      records,
      response,
      applied: () => {
        for (const { id } of members) timers.cancelAll(group.id, id)
      },
    }
  }
}

function left(memberId: string, memberEpoch: number): HeartbeatAnswer {
  return { throttleTimeMs: 0, errorCode: ErrorCode.NONE, memberId, memberEpoch, heartbeatIntervalMs: 0 }
}
