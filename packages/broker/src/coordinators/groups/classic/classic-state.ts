/** The states of a classic group, and how they follow each other. Source: Kafka's ClassicGroupState. */

export type ClassicState = 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable' | 'Dead'

/**
 * Empty: no members, perhaps offsets.
 * PreparingRebalance: waits for members to join.
 * CompletingRebalance: a new generation has begun and waits for its leader's assignment.
 * Stable: members have their assignments.
 * Dead: this broker does not coordinate the group any more.
 */
const previous: Readonly<Record<ClassicState, readonly ClassicState[]>> = {
  Empty: ['PreparingRebalance'],
  PreparingRebalance: ['Stable', 'CompletingRebalance', 'Empty'],
  CompletingRebalance: ['PreparingRebalance'],
  Stable: ['CompletingRebalance'],
  Dead: ['Stable', 'PreparingRebalance', 'CompletingRebalance', 'Empty', 'Dead'],
}

export function mayFollow(state: ClassicState, next: ClassicState): boolean {
  return previous[next].includes(state)
}
