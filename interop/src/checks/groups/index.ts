// Consumer groups of every client, several at a time: their members mostly wait.
import type { Membership } from '../../clients/foreign-client.ts'
import { inParallel } from '../../in-parallel.ts'
import { topicPart, type Context, type OpenClient } from '../context.ts'
import type { Observer } from '../observer.ts'
import { checkGroup } from './walk.ts'

const atOnce = 4

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
  await inParallel(walks, atOnce)
}
