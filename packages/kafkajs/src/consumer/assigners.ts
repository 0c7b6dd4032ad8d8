/** KafkaJS's partition assigners: the round robin it has by default, and how those of programs are used by the client. */
import type { AssignableTopics, Assignor, MemberSubscription } from '@millrace/client'
import type { Logger } from '../logger.ts'
import type { PartitionMetadata } from '../producer/partitioners.ts'
import { MemberAssignment, MemberMetadata } from './assigner-protocol.ts'
import type { GroupJoin } from './group-join.ts'

export interface GroupMember {
  readonly memberId: string
  readonly memberMetadata: Buffer
}

export interface GroupMemberAssignment {
  readonly memberId: string
  readonly memberAssignment: Buffer
}

export interface GroupState {
  name: string
  metadata: Buffer
}

export interface Assigner {
  readonly name: string
  readonly version: number
  assign(group: { members: GroupMember[]; topics: string[] }): Promise<GroupMemberAssignment[]>
  protocol(subscription: { topics: string[] }): GroupState
}

/** What an assigner may ask of the cluster. */
export interface AssignerCluster {
  findTopicPartitionMetadata(topic: string): PartitionMetadata[]
}

export type PartitionAssigner = (config: { cluster: AssignerCluster; groupId: string; logger: Logger }) => Assigner

/** KafkaJS's gives members partitions of topics also that they did not subscribe to; they would join again and again here. */
const roundRobin: PartitionAssigner = ({ cluster }) => ({
  name: 'RoundRobinAssigner',
  version: 0,
  async assign({ members, topics }) {
    const subscriptions = new Map(
      members.map(({ memberId, memberMetadata }) => [memberId, MemberMetadata.decode(memberMetadata).topics]),
    )
    const ids = [...subscriptions.keys()].toSorted()
    const assignments = new Map<string, Record<string, number[]>>()
    const partitions = topics.flatMap((topic) => {
      const subscribers = ids.filter((id) => subscriptions.get(id)!.includes(topic))
      return cluster.findTopicPartitionMetadata(topic).map(({ partitionId }) => ({ topic, partitionId, subscribers }))
    })
    for (const [index, { topic, partitionId, subscribers }] of partitions.entries()) {
      const id = subscribers[index % subscribers.length]
      if (id === undefined) continue
      const assignment = assignments.get(id) ?? {}
      assignments.set(id, assignment)
      ;(assignment[topic] ??= []).push(partitionId)
    }
    return [...assignments].map(([memberId, assignment]) => ({
      memberId,
      memberAssignment: MemberAssignment.encode({ version: 0, assignment }),
    }))
  },
  protocol: ({ topics }) => ({ name: 'RoundRobinAssigner', metadata: MemberMetadata.encode({ version: 0, topics }) }),
})

export const PartitionAssigners = { roundRobin } as const

/** The client's assignor that does as the assigner says. */
export function assignorFrom(
  create: PartitionAssigner,
  { groupId, logger, join }: { readonly groupId: string; readonly logger: Logger; readonly join: GroupJoin },
): Assignor {
  let topicsNow: AssignableTopics | null = null
  const cluster: AssignerCluster = {
    findTopicPartitionMetadata: (topic) =>
      Array.from({ length: topicsNow?.partitionCount(topic) ?? 0 }, (_, partitionId) => ({
        partitionErrorCode: 0,
        partitionId,
        leader: 0,
        replicas: [],
        isr: [],
      })),
  }
  const assigner = create({ cluster, groupId, logger })
  return {
    name: assigner.name,
    userData: (topics) => {
      join.begins()
      const { userData } = MemberMetadata.decode(assigner.protocol({ topics: [...topics] }).metadata)
      return userData.length === 0 ? null : userData
    },
    async assign(topics, members) {
      topicsNow = topics
      join.leads()
      const assignments = await assigner.assign({
        members: [...members].map(([memberId, subscription]) => ({
          memberId,
          memberMetadata: metadataOf(subscription, assigner.version),
        })),
        topics: [...new Set([...members.values()].flatMap((member) => member.topics))],
      })
      return new Map(
        assignments.map(({ memberId, memberAssignment }) => {
          const { assignment, userData } = MemberAssignment.decode(memberAssignment)!
          const wanted = members.get(memberId)?.topics ?? []
          const foreign = Object.keys(assignment).filter((topic) => !wanted.includes(topic))
          if (foreign.length > 0)
            logger.warn('The assigner gives a member topics that it did not subscribe to', {
              memberId,
              topics: foreign,
            })
          const partitions = Object.entries(assignment).flatMap(([topic, numbers]) =>
            foreign.includes(topic) ? [] : numbers.map((partition) => ({ topic, partition })),
          )
          return [memberId, { partitions, userData }]
        }),
      )
    },
    onAssignment: () => join.ends(assigner.name),
  }
}

function metadataOf({ topics, userData }: MemberSubscription, version: number): Buffer {
  return MemberMetadata.encode({
    version,
    topics: [...topics],
    ...(userData === null ? {} : { userData: Buffer.from(userData) }),
  })
}
