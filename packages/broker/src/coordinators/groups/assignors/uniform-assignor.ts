/**
 * Gives every member the same number of partitions, give or take one, and moves as few as that allows. Balance comes before stickiness.
 * Source: Kafka's UniformAssignor.
 */
import type { Assignor } from './assignor.ts'
import { assignHeterogeneously } from './uniform-heterogeneous.ts'
import { assignHomogeneously } from './uniform-homogeneous.ts'

export const uniformAssignor: Assignor = {
  name: 'uniform',
  assign: (group) => {
    if (group.members.size === 0) return new Map()
    return group.subscriptionType === 'homogeneous' ? assignHomogeneously(group) : assignHeterogeneously(group)
  },
}
