/**
 * Offsets that a transaction commits: TxnOffsetCommit at the coordinator of the group. By the protocol before `transaction.version` 2 the group is
 * added to the transaction first (AddOffsetsToTxn).
 */
import { AddOffsetsToTxn, ErrorCode, KafkaError, TxnOffsetCommit } from '@millrace/protocol'
import type { Cluster } from '../../cluster/cluster.ts'
import type { TopicPartitionOffset } from '../../record.ts'
import type { GroupMetadata } from '../producer.ts'
import type { CoordinatorRequests } from './coordinator-requests.ts'
import type { TransactionProtocol } from './transaction-protocol.ts'
import { gravest } from './transaction-verdict.ts'
import type { TransactionalIdentity } from './transactional-identity.ts'

/** The newest version of TxnOffsetCommit that means the protocol before `transaction.version` 2. */
const CLASSIC_TXN_OFFSET_COMMIT = 4
/** The first version of TxnOffsetCommit that says which member of the group commits (KIP-447). */
const GROUP_IS_CHECKED_SINCE = 3

export interface TransactionOffsetsOptions {
  readonly cluster: Cluster
  /** Aborted when nothing is to be asked any more. */
  readonly signal: AbortSignal
  readonly protocol: TransactionProtocol
  readonly identity: TransactionalIdentity
  readonly requests: CoordinatorRequests
}

export class TransactionOffsets {
  readonly #options: TransactionOffsetsOptions
  #isEmpty = true

  constructor(options: TransactionOffsetsOptions) {
    this.#options = options
  }

  /** There are none that the coordinator may know of. */
  get isEmpty(): boolean {
    return this.#isEmpty
  }

  /** Commits with the transaction. */
  async send(offsets: readonly TopicPartitionOffset[], group: GroupMetadata): Promise<void> {
    if (!this.#options.protocol.isVersion2) await this.#addGroup(group.groupId)
    this.#isEmpty = false
    await this.#commit(offsets, group)
  }

  /** The transaction is ended. */
  clear(): void {
    this.#isEmpty = true
  }

  async #addGroup(groupId: string): Promise<void> {
    const { cluster, signal, identity, requests } = this.#options
    // It is needed next. Asked for first it makes the broker create the topic of groups, without which a broker may refuse to add one of them.
    await cluster.coordinator('group', groupId, signal).catch(ignore)
    const { fields } = identity
    await requests.ask({
      request: 'AddOffsetsToTxn',
      api: AddOffsetsToTxn,
      coordinator: 'transaction',
      key: fields.transactionalId,
      body: { ...fields, groupId },
      codeOf: ({ errorCode }) => errorCode,
    })
  }

  async #commit(offsets: readonly TopicPartitionOffset[], group: GroupMetadata): Promise<void> {
    const { protocol, identity, requests } = this.#options
    const left = new Map(offsets.map((offset) => [`${offset.topic}-${offset.partition}`, offset]))
    await requests.ask({
      request: 'TxnOffsetCommit',
      api: TxnOffsetCommit,
      coordinator: 'group',
      key: group.groupId,
      ...(protocol.isVersion2 ? {} : { maxVersion: CLASSIC_TXN_OFFSET_COMMIT }),
      body: (version) => ({
        ...identity.fields,
        groupId: group.groupId,
        ...membership(group, version),
        topics: [...Map.groupBy(left.values(), ({ topic }) => topic)].map(([name, ofTopic]) => ({
          name,
          partitions: ofTopic.map(({ partition, offset, leaderEpoch = -1, metadata = '' }) => ({
            partitionIndex: partition,
            committedOffset: offset,
            committedLeaderEpoch: leaderEpoch,
            committedMetadata: metadata,
          })),
        })),
      }),
      codeOf: ({ topics }) => {
        const codes: number[] = []
        for (const { name, partitions } of topics) {
          for (const { partitionIndex, errorCode } of partitions) {
            codes.push(errorCode)
            if (errorCode === ErrorCode.NONE) left.delete(`${name}-${partitionIndex}`)
          }
        }
        const code = gravest('TxnOffsetCommit', codes)
        // An answer that leaves some out is no answer for those.
        return code === ErrorCode.NONE && left.size > 0 ? ErrorCode.COORDINATOR_NOT_AVAILABLE : code
      },
    })
  }
}

/** What an application may give for the one who commits. @throws TypeError for a member without an id. */
export function groupMetadata(group: GroupMetadata | string): GroupMetadata {
  if (typeof group === 'string') return { groupId: group, generationId: -1, memberId: '', groupInstanceId: null }
  if (typeof group !== 'object' || group === null || typeof group.groupId !== 'string')
    throw new TypeError('the group of offsets should be its id, or what groupMetadata() of its consumer gives')
  if (group.generationId > 0 && group.memberId === '')
    throw new TypeError(
      `the metadata of group ${group.groupId} have a generation (${group.generationId}) but no member id`,
    )
  return group
}

/**
 * What cannot be written into a request has to be known before: there it would end the producer. @throws TypeError, and RangeError for offsets below 0.
 */
export function checkOffsets(offsets: readonly TopicPartitionOffset[]): void {
  if (!Array.isArray(offsets)) throw new TypeError('offsets should be a list of { topic, partition, offset }')
  for (const given of offsets as readonly unknown[]) {
    if (typeof given !== 'object' || given === null)
      throw new TypeError('each of the offsets should be an object { topic, partition, offset }')
    const { topic, partition, offset, leaderEpoch = -1, metadata = '' } = given as Partial<TopicPartitionOffset>
    if (typeof topic !== 'string') throw new TypeError('each of the offsets should name its topic')
    const of = `the offset of ${topic}-${String(partition)}`
    if (!isInt32(partition) || partition < 0) throw new TypeError(`${of} should name its partition, a whole number`)
    if (typeof offset !== 'bigint') throw new TypeError(`${of} should be a bigint, but is a ${typeof offset}`)
    if (offset < 0n) throw new RangeError(`${of} should be from 0 up, but is ${offset}`)
    if (!isInt32(leaderEpoch)) throw new TypeError(`the leaderEpoch of ${of} should be a whole number`)
    if (typeof metadata !== 'string') throw new TypeError(`the metadata of ${of} should be a text`)
  }
}

function isInt32(value: unknown): value is number {
  return typeof value === 'number' && value === (value | 0)
}

function membership(
  group: GroupMetadata,
  version: number,
): Record<string, never> | (Omit<GroupMetadata, 'groupId' | 'generationId'> & { generationIdOrMemberEpoch: number }) {
  const { generationId, memberId, groupInstanceId } = group
  if (version >= GROUP_IS_CHECKED_SINCE) return { generationIdOrMemberEpoch: generationId, memberId, groupInstanceId }
  if (memberId === '' && generationId < 0) return {}
  throw new KafkaError(
    ErrorCode.TRANSACTION_ABORTABLE,
    'the broker cannot tell an outdated member of a group (that came with Kafka 2.5); give sendOffsets the group id alone, and each input partition a producer of its own',
  )
}

function ignore(): void {}
