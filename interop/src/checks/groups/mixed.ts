// Groups whose members are of several clients, and groups that go over to the other protocol while they are in use.
import type { Membership } from '../../clients/foreign-client.ts'
import { java } from '../../clients/java.ts'
import { expectEqual } from '../../expect.ts'
import type { Context, OpenClient } from '../context.ts'
import { eventually } from '../eventually.ts'
import type { Observer } from '../observer.ts'
import { GroupRun, partitionCount } from './group-run.ts'
import type { Member } from './member.ts'

const severalClients = { name: 'several clients', version: 'together' }

/** kcat commits every 5 s. */
const committedWithinMs = 10_000
const sessionTimeoutMs = 20_000

export async function checkMixedGroup(
  { broker, report }: Context,
  clients: readonly OpenClient[],
  observer: Observer,
  membership: Membership,
): Promise<void> {
  const able = clients
    .map(({ client }) => client)
    .filter(({ groups }) => groups?.memberships.some((one) => isSame(one, membership)) === true)
  const size = [6, 3, 2].find((count) => count <= able.length)
  if (size === undefined) return
  const chosen = able.slice(0, size)
  const { protocol, assignor } = membership
  await report.check(severalClients, `${protocol} group, ${assignor}`, async () => {
    const name = `mixed-${protocol}-${assignor}`
    const options = { client: chosen[0]!, membership, bootstrap: broker.bootstrap, observer, name, sessionTimeoutMs }
    await using run = new GroupRun(options)
    await observer.createTopic(run.topic, partitionCount)
    for (const client of chosen) await run.join(client.name, { client })
    await readAndCommit(run)
    if (size === 6) {
      for (const member of [...run.members].slice(0, 3)) await run.leave(member)
      await readAndCommit(run)
    }
    return chosen.map((client) => client.name).join(', ')
  })
}

const isSame = (one: Membership, other: Membership) =>
  one.protocol === other.protocol && one.assignor === other.assignor && one.pattern !== true

async function readAndCommit(run: GroupRun): Promise<void> {
  await run.untilShared()
  await run.expectDescribed()
  await run.round()
  for (const member of run.members) await member.commit('sync', run.topic, '')
  // Some clients write metadata of their own: only the offsets are looked at.
  await eventually(() => run.expectCommittedOffsets(), committedWithinMs)
}

/** A rolling change from classic members to members of the consumer protocol, and back (KIP-848). */
export async function checkMigration({ broker, report }: Context, observer: Observer): Promise<void> {
  const classic: Membership = { protocol: 'classic', assignor: 'cooperative-sticky' }
  const consumer: Membership = { protocol: 'consumer', assignor: 'uniform' }
  const options = { client: java, membership: classic, bootstrap: broker.bootstrap, observer, name: 'migration' }
  await using run = new GroupRun({ ...options, sessionTimeoutMs })
  const expectType = async (type: string) => {
    await run.untilShared()
    await eventually(async () => expectEqual((await observer.describe(run.group)).type, type, 'type of the group'))
    await run.round()
    for (const member of run.members) await member.commit('sync', run.topic, '')
    await eventually(() => run.expectCommittedOffsets())
  }
  const members: Member[] = []
  const replace = async (membership: Membership) => {
    const going = members.shift()
    if (going !== undefined) await run.leave(going)
    members.push(await run.join(`member ${members.length}`, { membership }))
  }
  await report.check(java, 'a classic group becomes a consumer group, member by member', async () => {
    await observer.createTopic(run.topic, partitionCount)
    members.push(await run.join('first', { membership: classic }), await run.join('second', { membership: classic }))
    await expectType('Classic')
    await replace(consumer)
    await expectType('Consumer')
    await replace(consumer)
    await expectType('Consumer')
  })
  await report.check(java, 'and a classic group again', async () => {
    await replace(classic)
    await expectType('Consumer')
    await replace(classic)
    await expectType('Classic')
  })
}
