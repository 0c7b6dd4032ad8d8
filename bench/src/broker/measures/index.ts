import { apacheKafka, millraceByNpmStart, millraceInstalled, type BrokerKind } from '@millrace/interop/brokers'
import type { Measure } from '../measure.ts'
import { bigLog } from './big-log.ts'
import { connections } from './connections.ts'
import { coordinatorLoad } from './coordinator-load.ts'
import { embedded } from './embedded.ts'
import { groupCommits } from './group-commits.ts'
import { classicRebalances, consumerRebalances } from './group-rebalances.ts'
import { idleGroups } from './idle-groups.ts'
import { latency } from './latency.ts'
import { load } from './load.ts'
import { partitions } from './partitions.ts'
import { startByNpm, startInstalled } from './start.ts'

export interface Contest {
  readonly measure: Measure
  /** Our side; the measures that do not ask for a form take the one chosen on the command line. */
  readonly form: BrokerKind | null
}

/** In the order of the table. */
export const contests: readonly Contest[] = [
  { measure: startInstalled, form: millraceInstalled },
  { measure: startByNpm, form: millraceByNpmStart },
  { measure: embedded, form: null },
  { measure: load, form: null },
  { measure: latency, form: null },
  { measure: connections, form: null },
  { measure: partitions, form: null },
  { measure: bigLog, form: null },
  { measure: classicRebalances, form: null },
  { measure: consumerRebalances, form: null },
  { measure: groupCommits, form: null },
  { measure: idleGroups, form: null },
  { measure: coordinatorLoad, form: null },
]

export const reference = apacheKafka
