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
 * Suspect and dead replicas leave the ISR, but its last member stays: it alone has every record. A leader that is alive, trusted and in
 * the ISR goes on; else the first in the assignment that is in the ISR and alive takes over, and may be the very one that has come back:
 * with a new leader epoch, since it may lack what it had acknowledged without a sync. When nobody in the ISR is alive there is no
 * leader, unless the topic allows an unclean election: then any replica alive, which must recover.
 */
export function nextPartitionState(partition: PartitionImage, facts: ElectionFacts): PartitionImage | null {
  if (partition.partitionEpoch === NO_STATE) return firstState(partition.replicas, facts)
  const trusted = partition.isr.filter((id) => facts.isAlive(id) && !facts.isSuspect(id))
  let isr = trusted.length === 0 ? partition.isr : trusted.length === partition.isr.length ? partition.isr : trusted
  const goesOn = trusted.includes(partition.leader)
  let leader = goesOn
    ? partition.leader
    : (partition.replicas.find((id) => isr.includes(id) && facts.isAlive(id)) ?? -1)
  let { leaderRecovering } = partition
  if (leader === -1 && facts.allowsUnclean()) {
    leader = partition.replicas.find((id) => facts.isAlive(id)) ?? -1
    if (leader !== -1) {
      isr = [leader]
      leaderRecovering = true
    }
  }
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
