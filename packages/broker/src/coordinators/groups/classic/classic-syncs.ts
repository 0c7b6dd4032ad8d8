/** SyncGroup to classic groups: brings the leader's assignment to all, once it is in the log. */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import { answer, type Decision } from '../../runtime/decision.ts'
import type { GroupShardContext } from '../group-part.ts'
import { synced, type SyncAnswer, type SyncRequest } from './classic-answers.ts'
import type { ClassicGroup } from './classic-group.ts'
import { noAssignment } from './classic-member.ts'
import type { ClassicRebalances } from './classic-rebalances.ts'
import { groupMetadata } from './group-metadata.ts'

export class ClassicSyncs {
  readonly #context: GroupShardContext
  readonly #rebalances: ClassicRebalances

  constructor(context: GroupShardContext, rebalances: ClassicRebalances) {
    this.#context = context
    this.#rebalances = rebalances
  }

  /** @throws KafkaError with the code of the answer. */
  sync(group: ClassicGroup, request: SyncRequest): Decision<SyncAnswer> {
    const { memberId, groupInstanceId, generationId, protocolType, protocolName } = request
    group.checkMember(memberId, groupInstanceId)
    if (generationId !== group.generation) throw new KafkaError(ErrorCode.ILLEGAL_GENERATION)
    if (differs(protocolType, group.protocolType || null) || differs(protocolName, group.protocol))
      throw new KafkaError(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
    const member = group.members.get(memberId)!
    switch (group.state) {
      case 'PreparingRebalance':
        throw new KafkaError(ErrorCode.REBALANCE_IN_PROGRESS)
      case 'CompletingRebalance': {
        const { promise, resolve } = Promise.withResolvers<SyncAnswer>()
        group.awaitSync(member, resolve)
        this.#rebalances.hasSynced(group, memberId)
        return group.isLeader(memberId)
          ? { ...this.#assign(group, request), response: promise }
          : answer<SyncAnswer>(promise)
      }
      case 'Stable':
        this.#rebalances.hasSynced(group, memberId)
        return answer(synced(group, member.assignment))
      default:
        throw new KafkaError(ErrorCode.UNKNOWN_MEMBER_ID)
    }
  }

  #assign(group: ClassicGroup, request: SyncRequest): Omit<Decision<unknown>, 'response'> {
    const { logger } = this.#context.shard
    const { generation } = group
    const assignments = new Map<string, Uint8Array>()
    for (const { memberId, assignment } of request.assignments) assignments.set(memberId, assignment)
    const forgotten = [...group.members.keys()].filter((id) => !assignments.has(id))
    for (const id of forgotten) assignments.set(id, noAssignment)
    if (forgotten.length > 0)
      logger.warn('a leader has left members without an assignment', {
        group: group.id,
        generation,
        members: forgotten,
      })
    return {
      records: [groupMetadata(group, assignments)],
      replays: false,
      settled: (error) => {
        // A member has come or gone meanwhile: a new generation begins, or has begun.
        if (group.state !== 'CompletingRebalance' || group.generation !== generation) return
        if (error === null) return this.#rebalances.propagateAssignments(group, assignments)
        logger.warn('assignments were not written', { group: group.id, generation, error })
        this.#rebalances.resetAssignments(group, error.code)
        this.#rebalances.prepareOrComplete(group, 'the assignments were not written')
      },
    }
  }
}

/** Those of older requests, and of groups that have none, are null. */
function differs(requested: string | null, ofGroup: string | null): boolean {
  return requested !== null && ofGroup !== null && requested !== ofGroup
}
