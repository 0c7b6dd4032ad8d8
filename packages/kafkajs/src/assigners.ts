/** KafkaJS's partition assigners: the round robin it has by default, and how those of programs are used by the client. */
import type { AssignableTopics, Assignor, MemberSubscription } from '@millrace/client'
import { MemberAssignment, MemberMetadata } from './assigner-protocol.ts'
import type { Logger } from './logger.ts'
import type { PartitionMetadata } from './partitioners.ts'

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

const roundRobin: PartitionAssigner = ({ cluster }) => ({
  name: 'RoundRobinAssigner',
  version: 0,
  async assign({ members, topics }) {
    const ids = members.map(({ memberId }) => memberId).toSorted()
    const assignments = new Map<string, Record<string, number[]>>()
    const partitions = topics.flatMap((topic) =>
      cluster.findTopicPartitionMetadata(topic).map(({ partitionId }) => ({ topic, partitionId })),
    )
    for (const [index, { topic, partitionId }] of partitions.entries()) {
      const id = ids[index % ids.length]!
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
  { groupId, logger }: { readonly groupId: string; readonly logger: Logger },
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
      const { userData } = MemberMetadata.decode(assigner.protocol({ topics: [...topics] }).metadata)
      return userData.length === 0 ? null : userData
    },
    async assign(topics, members) {
      topicsNow = topics
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
          const partitions = Object.entries(assignment).flatMap(([topic, numbers]) =>
            numbers.map((partition) => ({ topic, partition })),
          )
          return [memberId, { partitions, userData }]
        }),
      )
    },
  }
}

function metadataOf({ topics, userData }: MemberSubscription, version: number): Buffer {
  return MemberMetadata.encode({
    version,
    topics: [...topics],
    ...(userData === null ? {} : { userData: Buffer.from(userData) }),
  })
}
