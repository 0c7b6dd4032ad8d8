import { classicGroupsWalk } from './classic-groups.ts'
import { consumerGroupsWalk } from './consumer-groups.ts'
import { shareGroupsWalk } from './share-groups.ts'
import { transactionsWalk } from './transactions.ts'
import type { Walk } from './walk.ts'

export const walks: readonly Walk[] = [classicGroupsWalk, consumerGroupsWalk, shareGroupsWalk, transactionsWalk]
