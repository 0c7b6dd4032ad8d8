// Consumer groups of every client, several at a time: their members mostly wait.
import type { Membership } from '../../clients/foreign-client.ts'
import { java } from '../../clients/java.ts'
import { inParallel } from '../../in-parallel.ts'
import { topicPart, type Context, type OpenClient } from '../context.ts'
import type { Observer } from '../observer.ts'
import { checkMigration, checkMixedGroup } from './mixed.ts'
import { checkGroup } from './walk.ts'

const atOnce = 4
const range: Membership = { protocol: 'classic', assignor: 'range' }
const uniform: Membership = { protocol: 'consumer', assignor: 'uniform' }

const labelOf = ({ protocol, assignor, pattern }: Membership) =>
  `${protocol} group, ${assignor}${pattern === true ? ', pattern' : ''}`

export async function checkGroups(context: Context, clients: readonly OpenClient[], observer: Observer): Promise<void> {
  const walks = clients.flatMap(({ client }) =>
    (client.groups?.memberships ?? []).map((membership) => {
      const report = context.report.part()
      const label = labelOf(membership)
      const name = `${topicPart(client.name)}-${topicPart(label)}`
      return () =>
        checkGroup(report, label, { client, membership, bootstrap: context.broker.bootstrap, observer, name })
    }),
  )
  const part = () => ({ ...context, report: context.report.part() })
  const mixed = [range, uniform].map((membership) => {
    const itsPart = part()
    return () => checkMixedGroup(itsPart, clients, observer, membership)
  })
  if (clients.some(({ client }) => client === java)) {
    const itsPart = part()
    mixed.push(() => checkMigration(itsPart, observer))
  }
  await inParallel([...walks, ...mixed], atOnce)
}
