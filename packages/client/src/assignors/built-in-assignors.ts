/** The assignors that a name stands for. */
import type { Assignor } from './assignor.ts'
import { cooperativeStickyAssignor } from './cooperative-sticky-assignor.ts'
import { rangeAssignor } from './range-assignor.ts'
import { roundRobinAssignor } from './round-robin-assignor.ts'
import { stickyAssignor } from './sticky-assignor.ts'

export const builtInAssignors = {
  range: rangeAssignor,
  roundrobin: roundRobinAssignor,
  sticky: stickyAssignor,
  'cooperative-sticky': cooperativeStickyAssignor,
} as const satisfies Readonly<Record<string, () => Assignor>>

export type BuiltInAssignorName = keyof typeof builtInAssignors
