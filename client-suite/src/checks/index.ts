// All checks, in the order of the table.
import type { Check } from '../check.ts'
import { checks as producing } from './producing.ts'
import { checks as transactions } from './transactions.ts'
import { checks as consuming } from './consuming.ts'
import { checks as committing } from './committing.ts'
import { checks as groups } from './groups.ts'
import { checks as connecting } from './connecting.ts'
import { checks as admin } from './admin.ts'
import { checks as sharing } from './sharing.ts'
import { checks as failover } from './failover.ts'
import { checks as foreign } from './foreign.ts'

export const checks: readonly Check[] = [
  ...producing,
  ...transactions,
  ...consuming,
  ...committing,
  ...groups,
  ...sharing,
  ...admin,
  ...foreign,
  ...connecting,
  ...failover,
]
