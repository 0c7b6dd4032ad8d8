import type { Scenario } from '../scenario.ts'
import { acknowledgingSharedRecords } from './acknowledging-shared-records.ts'
import { acquiringSharedRecords } from './acquiring-shared-records.ts'
import { classicGroups } from './classic-groups.ts'
import { cluster } from './cluster.ts'
import { consumerAssignments } from './consumer-assignments.ts'
import { consumerGroupOffsets } from './consumer-group-offsets.ts'
import { fencedProducers } from './fenced-producers.ts'
import { groupsOfAnotherType } from './groups-of-another-type.ts'
import { producerIds } from './init-producer-id.ts'
import { joiningConsumerGroups } from './joining-consumer-groups.ts'
import { joiningShareGroups } from './joining-share-groups.ts'
import { listingTransactions } from './listing-transactions.ts'
import { mixedGroups } from './mixed-groups.ts'
import { offsets } from './offsets.ts'
import { oldProducers } from './old-producers.ts'
import { shareGroupOffsets } from './share-group-offsets.ts'
import { shareSessions } from './share-sessions.ts'
import { staticConsumerMembers } from './static-consumer-members.ts'
import { subscribingByExpression } from './subscribing-by-expression.ts'
import { timeouts } from './timeouts.ts'
import { transactionMarkers } from './transaction-markers.ts'
import { transactionProtocols } from './transaction-protocols.ts'
import { transactionTimeouts } from './transaction-timeouts.ts'
import { transactionalOffsets } from './transactional-offsets.ts'
import { transactionalRecords } from './transactional-records.ts'

/** Those of transactions on their own, too: they are played at each level of `transaction.version`. */
export const transactions: readonly Scenario[] = [
  ...producerIds,
  ...transactionProtocols,
  ...fencedProducers,
  ...transactionalRecords,
  ...transactionalOffsets,
  ...listingTransactions,
  ...transactionMarkers,
  ...transactionTimeouts,
  ...oldProducers,
]

export const scenarios: readonly Scenario[] = [
  ...cluster,
  ...classicGroups,
  ...offsets,
  ...transactions,
  ...joiningConsumerGroups,
  ...consumerAssignments,
  ...staticConsumerMembers,
  ...subscribingByExpression,
  ...consumerGroupOffsets,
  ...mixedGroups,
  ...groupsOfAnotherType,
  ...joiningShareGroups,
  ...acknowledgingSharedRecords,
  ...shareSessions,
  ...acquiringSharedRecords,
  ...shareGroupOffsets,
  ...timeouts,
]
