import type { Scenario } from '../scenario.ts'
import { classicGroups } from './classic-groups.ts'
import { transactions } from './transactions.ts'
import { consumerGroups } from './consumer-groups.ts'
import { offsets } from './offsets.ts'

export const scenarios: readonly Scenario[] = [...classicGroups, ...consumerGroups, ...offsets, ...transactions]
