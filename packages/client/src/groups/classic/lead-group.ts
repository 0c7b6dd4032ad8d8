/** What the leader of a classic group does: runs the assignor for all members. */
import { ErrorCode, KafkaError, type JoinGroup, type Response } from '@millrace/protocol'
import type { Assignor, MemberAssignment, MemberSubscription, RebalanceProtocol } from '../../assignors/assignor.ts'
import { partitionName } from '../partition-names.ts'
import { decodeSubscription, encodeAssignment } from './consumer-protocol-codec.ts'
import type { GroupTopics } from './group-topics.ts'

export interface LeadOptions {
  readonly assignor: Assignor
  readonly protocol: RebalanceProtocol
  readonly groupTopics: GroupTopics
  readonly signal: AbortSignal
}

/**
 * The assignments to hand out. None when the coordinator asks to leave everything as it is (KIP-814).
 * @throws what the assignor throws; TypeError when it breaks the rules of the cooperative protocol; KafkaError.
 */
export async function leadGroup(
  { members: joined, skipAssignment }: Response<typeof JoinGroup>,
  { assignor, protocol, groupTopics, signal }: LeadOptions,
): Promise<{ memberId: string; assignment: Uint8Array }[]> {
  const members = new Map<string, MemberSubscription>(
    joined.map(({ memberId, groupInstanceId, metadata }) => [memberId, decodeSubscription(metadata, groupInstanceId)]),
  )
  const topics = new Set([...members.values()].flatMap((member) => member.topics))
  const assignable = await groupTopics.know([...topics], signal)
  if (skipAssignment) {
    groupTopics.watch()
    return []
  }
  const assignment = await assignor.assign(assignable, members)
  if (protocol === 'cooperative') checkNothingIsGivenTwice(assignor.name, members, assignment)
  const unasked = [...assignment.values()]
    .flatMap(({ partitions }) => partitions.map(({ topic }) => topic))
    .filter((topic) => !topics.has(topic))
  // An assignor may assign topics that nobody has subscribed to; changes of these count too.
  if (unasked.length > 0) await groupTopics.know([...topics, ...unasked], signal)
  groupTopics.watch()
  return [...assignment].map(([memberId, own]) => ({ memberId, assignment: encodeAssignment(own) }))
}

/** What a member owns may go to another only after the member has given it up (KIP-429). */
function checkNothingIsGivenTwice(
  name: string,
  members: ReadonlyMap<string, MemberSubscription>,
  assignment: ReadonlyMap<string, MemberAssignment>,
): void {
  // Ours looks at generations, and knows which claims are of the past.
  if (name === 'cooperative-sticky') return
  const assignedTo = new Map<string, string>()
  for (const [memberId, { partitions }] of assignment)
    for (const partition of partitions) assignedTo.set(partitionName(partition), memberId)
  for (const [memberId, { ownedPartitions }] of members) {
    for (const partition of ownedPartitions) {
      const taker = assignedTo.get(partitionName(partition))
      if (taker === undefined || taker === memberId) continue
      const own = members.get(taker)?.ownedPartitions.map(partitionName) ?? []
      if (own.includes(partitionName(partition))) continue
      throw new KafkaError(
        ErrorCode.INCONSISTENT_GROUP_PROTOCOL,
        `the assignor ${name} says it is cooperative, but gives ${partitionName(partition)} to ${taker} while ${memberId} owns it`,
      )
    }
  }
}
