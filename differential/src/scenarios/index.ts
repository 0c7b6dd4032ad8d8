import type { Scenario } from '../scenario.ts'
import { classicGroups } from './classic-groups.ts'
import { cluster } from './cluster.ts'
import { consumerGroups } from './consumer-groups.ts'
import { consumerMembers } from './consumer-members.ts'
import { offsets } from './offsets.ts'
import { shareGroups } from './share-groups.ts'
import { timeouts } from './timeouts.ts'
import { transactions } from './transactions.ts'

export const scenarios: readonly Scenario[] = [
  ...cluster,
  ...classicGroups,
  ...offsets,
  ...transactions,
  ...consumerGroups,
  ...consumerMembers,
  ...shareGroups,
  ...timeouts,
]
