/** Groups and their offsets, as KafkaJS's admin has them. */
import type { Admin as ClientAdmin, CommittedOffset } from '@millrace/client'
import { seekTargetOf } from '../consumer/places.ts'
import {
  KafkaJSDeleteGroupsError,
  KafkaJSNonRetriableError,
  type KafkaJSError,
  type KafkaJSProtocolError,
} from '../errors.ts'
import { translated } from '../translate-error.ts'
import { failuresOf } from './partial-failures.ts'
import { checkNames, type SeekEntry, type TopicAdmin } from './topics.ts'

export interface MemberDescription {
  clientHost: string
  clientId: string
  memberId: string
  memberAssignment: Buffer
  memberMetadata: Buffer
}

export type ConsumerGroupState = 'Unknown' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable' | 'Dead' | 'Empty'

export interface GroupDescription {
  /** 0. KafkaJS's types say nothing of it. */
  errorCode?: number
  groupId: string
  members: MemberDescription[]
  protocol: string
  protocolType: string
  state: ConsumerGroupState
}

export interface GroupDescriptions {
  groups: GroupDescription[]
}

export interface GroupOverview {
  groupId: string
  protocolType: string
}

export interface DeleteGroupsResult {
  groupId: string
  errorCode?: number
  error?: KafkaJSProtocolError
}

export type FetchOffsetsPartition = SeekEntry & { metadata: string | null }

export interface GroupAdmin {
  listGroups(): Promise<{ groups: GroupOverview[] }>
  deleteGroups(groupIds: string[]): Promise<DeleteGroupsResult[]>
  /** Of the classic protocol, as KafkaJS's own are. */
  describeGroups(groupIds: string[]): Promise<GroupDescriptions>
  fetchOffsets(options: {
    groupId: string
    topics?: string[]
    resolveOffsets?: boolean
  }): Promise<{ topic: string; partitions: FetchOffsetsPartition[] }[]>
  setOffsets(options: { groupId: string; topic: string; partitions: SeekEntry[] }): Promise<void>
  resetOffsets(options: { groupId: string; topic: string; earliest?: boolean }): Promise<void>
}

export function groupAdmin(admin: () => ClientAdmin, topics: TopicAdmin): GroupAdmin {
  const setOffsets: GroupAdmin['setOffsets'] = async ({ groupId, topic, partitions }) => {
    checkGroup(groupId)
    checkNames([topic])
    if (!Array.isArray(partitions) || partitions.length === 0) throw new KafkaJSNonRetriableError('Invalid partitions')
    const { state } = await describeGroup(admin(), groupId)
    if (state !== 'Empty' && state !== 'Dead')
      throw new KafkaJSNonRetriableError(`The consumer group must have no running instances, current state: ${state}`)
    const targets = partitions.map(({ partition, offset }) => seekTargetOf({ topic, partition, offset }))
    const ends = targets.some((target) => typeof target !== 'bigint') ? await topics.fetchTopicOffsets(topic) : []
    const offsets = partitions.map(({ partition }, index) => {
      const target = targets[index]!
      if (typeof target === 'bigint') return { topic, partition, offset: target }
      const end = ends.find((one) => one.partition === partition)
      if (end === undefined) throw new KafkaJSNonRetriableError(`${topic} has no partition ${partition}`)
      return { topic, partition, offset: BigInt(target === 'end' ? end.high : end.low) }
    })
    await translated(admin().alterGroupOffsets(groupId, offsets))
  }

  return {
    async listGroups() {
      const groups = await translated(admin().listGroups())
      return { groups: groups.map(({ groupId, protocolType }) => ({ groupId, protocolType })) }
    },

    async deleteGroups(groupIds) {
      const failures = await failuresOf(admin().deleteGroups(groupIds))
      const results = groupIds.map((groupId, index) => {
        const error = failures.get(index) as KafkaJSError | undefined
        return error === undefined
          ? { groupId, errorCode: 0 }
          : { groupId, errorCode: codeOf(error), error: error as KafkaJSProtocolError }
      })
      if (failures.size === 0) return results
      throw new KafkaJSDeleteGroupsError(
        'Error in DeleteGroups',
        results.flatMap(({ groupId, errorCode, error }) =>
          error === undefined ? [] : [{ groupId, errorCode, error }],
        ),
      )
    },

    describeGroups: async (groupIds) => ({
      groups: await Promise.all(groupIds.map((groupId) => describeGroup(admin(), groupId))),
    }),

    async fetchOffsets({ groupId, topics: wanted = [], resolveOffsets = false }) {
      checkGroup(groupId)
      checkNames(wanted)
      const [{ offsets }] = await translated(admin().listGroupOffsets([groupId]))
      if (wanted.length === 0) return byTopic(offsets)
      return await Promise.all(
        wanted.map(async (topic) => {
          const ends = await topics.fetchTopicOffsets(topic)
          return {
            topic,
            partitions: ends.map(({ partition, high }) => {
              const committed = offsets.find((one) => one.topic === topic && one.partition === partition)
              const offset = committed?.offset ?? null
              return {
                partition,
                offset: offset === null ? (resolveOffsets ? high : '-1') : offset.toString(),
                metadata: committed?.metadata || null,
              }
            }),
          }
        }),
      )
    },

    setOffsets,

    async resetOffsets({ groupId, topic, earliest = false }) {
      checkGroup(groupId)
      checkNames([topic])
      const ends = await topics.fetchTopicOffsets(topic)
      const partitions = ends.map(({ partition, high, low }) => ({ partition, offset: earliest ? low : high }))
      await setOffsets({ groupId, topic, partitions })
    },
  }
}

/** What a group has committed, and nothing else. */
function byTopic(offsets: readonly CommittedOffset[]): { topic: string; partitions: FetchOffsetsPartition[] }[] {
  const topics = new Map<string, FetchOffsetsPartition[]>()
  for (const { topic, partition, offset, metadata } of offsets) {
    const partitions = topics.get(topic) ?? []
    topics.set(topic, partitions)
    partitions.push({ partition, offset: String(offset ?? -1n), metadata: metadata || null })
  }
  return [...topics].map(([topic, partitions]) => ({ topic, partitions }))
}

/** An unknown group is described as dead, as brokers always did. */
export async function describeGroup(admin: ClientAdmin, groupId: string): Promise<GroupDescription> {
  const [group] = await translated(admin.describeClassicGroups([groupId])).catch((error: Error) => {
    if ((error as { type?: string }).type !== 'GROUP_ID_NOT_FOUND') throw error
    return [null] as const
  })
  if (group === null) return { errorCode: 0, groupId, members: [], protocol: '', protocolType: '', state: 'Dead' }
  return {
    errorCode: 0,
    groupId,
    members: group.members.map(({ clientHost, clientId, memberId, rawAssignment, rawMetadata }) => ({
      clientHost,
      clientId,
      memberId,
      memberAssignment: Buffer.from(rawAssignment),
      memberMetadata: Buffer.from(rawMetadata),
    })),
    protocol: group.protocol,
    protocolType: group.protocolType,
    state: group.state as ConsumerGroupState,
  }
}

function checkGroup(groupId: unknown): void {
  if (typeof groupId !== 'string' || groupId === '')
    throw new KafkaJSNonRetriableError(`Invalid groupId ${String(groupId)}`)
}

function codeOf(error: KafkaJSError): number {
  return (error as { code?: number }).code ?? -1
}
