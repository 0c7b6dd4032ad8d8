/** How the state of a partition follows the brokers' comings and goings. Pure. */
import type { PartitionImage } from '../metadata/image.ts'

export interface ElectionFacts {
  /** Registered and not fenced. */
  isAlive(brokerId: number): boolean
  /**
   * Whether the broker's registration is not the one under which it became leader or joined the ISR: it has gone, or has come back
   * since, perhaps without its last records.
   */
  isSuspect(brokerId: number): boolean
  /** `unclean.leader.election.enable` of the topic. */
  allowsUnclean(): boolean
}

/** A partition that is assigned but whose state was never written has this partition epoch. */
export const NO_STATE = -1

/**
 * The partition's next state, or null when it stays as it is.
 *
 * Suspect and dead replicas leave the ISR. A leader that is left in it goes on; else the first in the assignment that is left takes over.
 * When none is left, those in the old ISR alone can have every record, so the first of them that is alive leads, alone in sync, with a new
 * leader epoch even if it was the leader before: it may lack what it had acknowledged without a sync. When none of them is alive the ISR
 * waits for them, without a leader; unless the topic allows an unclean election: then any replica alive leads, and must recover.
 */
export function nextPartitionState(partition: PartitionImage, facts: ElectionFacts): PartitionImage | null {
  if (partition.partitionEpoch === NO_STATE) return firstState(partition.replicas, facts)
  const trusted = partition.isr.filter((id) => facts.isAlive(id) && !facts.isSuspect(id))
  const goesOn = trusted.includes(partition.leader)
  const isEligible = (id: number): boolean =>
    trusted.length > 0 ? trusted.includes(id) : partition.isr.includes(id) && facts.isAlive(id)
  let leader = goesOn ? partition.leader : (partition.replicas.find(isEligible) ?? -1)
  let { leaderRecovering } = partition
  if (leader === -1 && facts.allowsUnclean()) {
    leader = partition.replicas.find((id) => facts.isAlive(id)) ?? -1
    leaderRecovering ||= leader !== -1
  }
  const isr = withSame(partition.isr, trusted.length > 0 ? trusted : leader === -1 ? partition.isr : [leader])
  const isNewTerm = leader !== partition.leader || (leader !== -1 && !goesOn)
  if (!isNewTerm && isr === partition.isr) return null
  return {
    ...partition,
    leader,
    leaderEpoch: partition.leaderEpoch + (isNewTerm ? 1 : 0),
    partitionEpoch: partition.partitionEpoch + 1,
    isr,
    leaderRecovering,
  }
}

/** `before` when `after`, a part of it, is all of it: unchanged lists are shared between images. */
function withSame(before: readonly number[], after: readonly number[]): readonly number[] {
  return after.length === before.length && after.every((id, at) => id === before[at]) ? before : after
}

/** The state of a new partition: all live replicas are in sync, the first of them leads. null when none is alive. */
export function firstState(replicas: readonly number[], facts: Pick<ElectionFacts, 'isAlive'>): PartitionImage | null {
  const alive = replicas.filter((id) => facts.isAlive(id))
  const leader = alive[0]
  if (leader === undefined) return null
  return {
    leader,
    leaderEpoch: 0,
    partitionEpoch: 0,
    replicas,
    isr: alive.length === replicas.length ? replicas : alive,
    addingReplicas: NONE,
    removingReplicas: NONE,
    leaderRecovering: false,
  }
}

const NONE: readonly number[] = []
