/**
 * How a member comes to its target assignment: first it gives up what is not its own any more, then it goes on to the target's epoch and takes
 * what is free, then it waits for the rest. No partition has two owners on the way. Source: Kafka's CurrentAssignmentBuilder.
 */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import { noPartitions, type Assignment } from '../assignors/assignor.ts'
import type { ConsumerMember, MemberState } from './consumer-member.ts'
import { ownsNothing, type OwnedPartitions } from './owned-partitions.ts'

/** What a member says it owns, in a heartbeat. */
export type ReportedPartitions = readonly { readonly topicId: string; readonly partitions: readonly number[] }[]

export interface Reconciliation {
  readonly member: ConsumerMember
  readonly targetEpoch: number
  readonly target: Assignment
  /** Topics that exist; what an unresolved regular expression stands for is not among them. Called when it is needed. */
  readonly subscribedTopicIds: () => ReadonlySet<string>
  readonly hasSubscriptionChanged: boolean
  readonly isOwned: (topicId: string, partition: number) => boolean
  /** null when the heartbeat does not say. */
  readonly reported: ReportedPartitions | null
}

/**
 * The member as it is next; the same object when nothing changes.
 * @throws KafkaError FENCED_MEMBER_EPOCH for a member in a state of a newer broker that owns partitions: it has to begin anew.
 */
export function reconcile(reconciliation: Reconciliation): ConsumerMember {
  const { member, targetEpoch, hasSubscriptionChanged, reported } = reconciliation
  switch (member.state) {
    case 'Stable':
      if (member.epoch !== targetEpoch) return towardsTarget(reconciliation, member.epoch)
      return hasSubscriptionChanged ? withoutUnsubscribed(reconciliation) : member
    case 'UnrevokedPartitions':
      if (!stillOwns(member.pendingRevocation, reported)) return towardsTarget(reconciliation, member.epoch)
      return hasSubscriptionChanged ? withoutUnsubscribed(reconciliation) : member
    case 'UnreleasedPartitions':
      return towardsTarget(reconciliation, member.epoch)
    case 'Unknown':
      if (reported === null || reported.length > 0)
        throw new KafkaError(
          ErrorCode.FENCED_MEMBER_EPOCH,
          'The consumer group member is in a unknown state. The member must abandon all its partitions and rejoin.',
        )
      return towardsTarget(reconciliation, targetEpoch)
  }
}

/** Who does not say what it owns has not given up anything yet. */
function stillOwns(revoked: OwnedPartitions, reported: ReportedPartitions | null): boolean {
  if (reported === null) return true
  return reported.some(({ topicId, partitions }) => {
    const ofTopic = revoked.get(topicId)
    return ofTopic !== undefined && partitions.some((partition) => ofTopic.has(partition))
  })
}

/** Takes away the topics that the member does not subscribe to any more, whatever its target is. */
function withoutUnsubscribed({ member, subscribedTopicIds, reported }: Reconciliation): ConsumerMember {
  const subscribed = subscribedTopicIds()
  const assigned = new Map(member.assigned)
  const pendingRevocation = new Map(member.pendingRevocation)
  for (const [topicId, epochs] of member.assigned) {
    if (subscribed.has(topicId)) continue
    assigned.delete(topicId)
    pendingRevocation.set(topicId, new Map([...(pendingRevocation.get(topicId) ?? []), ...epochs]))
  }
  if (assigned.size === member.assigned.size) return member
  return stillOwns(pendingRevocation, reported)
    ? { ...atEpoch(member, member.epoch), state: 'UnrevokedPartitions', assigned, pendingRevocation }
    : { ...atEpoch(member, member.epoch), assigned }
}

function towardsTarget(reconciliation: Reconciliation, epoch: number): ConsumerMember {
  const { member, targetEpoch, reported } = reconciliation
  const { kept, revoked, free, hasUnreleased } = compareWithTarget(reconciliation)
  if (revoked.size > 0 && stillOwns(revoked, reported))
    return { ...atEpoch(member, epoch), state: 'UnrevokedPartitions', assigned: kept, pendingRevocation: revoked }
  const assigned = new Map(kept)
  for (const [topicId, partitions] of free) {
    const epochs = new Map(assigned.get(topicId))
    for (const partition of partitions) epochs.set(partition, targetEpoch)
    assigned.set(topicId, epochs)
  }
  const state: MemberState = hasUnreleased ? 'UnreleasedPartitions' : 'Stable'
  return { ...atEpoch(member, targetEpoch), state, assigned, pendingRevocation: ownsNothing }
}

interface Comparison {
  readonly kept: OwnedPartitions
  readonly revoked: OwnedPartitions
  /** To be assigned, and nobody owns them. */
  readonly free: ReadonlyMap<string, readonly number[]>
  /** Some that are to be assigned have an owner still. */
  readonly hasUnreleased: boolean
}

function compareWithTarget({ member, target, subscribedTopicIds, isOwned }: Reconciliation): Comparison {
  const subscribed = subscribedTopicIds()
  const kept = new Map<string, Map<number, number>>()
  const revoked = new Map<string, Map<number, number>>()
  const free = new Map<string, number[]>()
  let hasUnreleased = false
  for (const topicId of new Set([...target.keys(), ...member.assigned.keys()])) {
    const wanted = (subscribed.has(topicId) ? target : noPartitions).get(topicId)
    const owned = member.assigned.get(topicId)
    for (const [partition, epoch] of owned ?? [])
      put(wanted?.has(partition) ? kept : revoked, topicId, partition, epoch)
    for (const partition of wanted ?? []) {
      if (owned?.has(partition)) continue
      // What the member itself has yet to give up may go back to it at once.
      if (isOwned(topicId, partition) && !member.pendingRevocation.get(topicId)?.has(partition)) hasUnreleased = true
      else if (free.has(topicId)) free.get(topicId)!.push(partition)
      else free.set(topicId, [partition])
    }
  }
  return { kept, revoked, free, hasUnreleased }
}

function put(owned: Map<string, Map<number, number>>, topicId: string, partition: number, epoch: number): void {
  const epochs = owned.get(topicId)
  if (epochs === undefined) owned.set(topicId, new Map([[partition, epoch]]))
  else epochs.set(partition, epoch)
}

function atEpoch(member: ConsumerMember, epoch: number): ConsumerMember {
  return { ...member, epoch, previousEpoch: member.epoch }
}
