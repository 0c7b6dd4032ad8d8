/** Classic groups brought to where a test begins, and what their members have been told. */
import assert from 'node:assert/strict'
import type { JoinAnswer, SyncAnswer } from '../classic/classic-answers.ts'
import type { ClassicGroup } from '../classic/classic-group.ts'
import { ClassicClient, testGroup, type Sent } from './classic-client.ts'
import { GroupShardUnderTest, type GroupShardUnderTestOptions } from './group-shard-under-test.ts'

/** The default of `group.initial.rebalance.delay.ms`. */
export const initialDelayMs = 3000

export function groupOf(under: GroupShardUnderTest): ClassicGroup {
  return under.shard.groups.findOfType<ClassicGroup>(testGroup, 'classic')
}

export function answerOf<A>(sending: Sent<A>): A {
  assert.ok(sending.answer !== undefined, 'it still waits')
  return sending.answer as A
}

export const joinOf = (sending: Sent<JoinAnswer>): JoinAnswer => answerOf(sending)
export const textOf = (sending: Sent<SyncAnswer>): string => Buffer.from(answerOf(sending).assignment).toString()

/** Every member of a new group, in a generation; nobody has asked for its assignment. */
export async function joined(
  under: GroupShardUnderTest,
  clients: readonly ClassicClient[],
): Promise<Sent<JoinAnswer>[]> {
  for (const client of clients) client.join()
  await under.time.advance(0)
  const joins = clients.map((client) => client.join())
  await under.time.advance(joins.length * initialDelayMs)
  return joins
}

export function leaderAmong(under: GroupShardUnderTest, clients: readonly ClassicClient[]): ClassicClient {
  return clients.find(({ memberId }) => groupOf(under).isLeader(memberId))!
}

/** Each is assigned its own member id. */
export function assignments(clients: readonly ClassicClient[]) {
  return clients.map(({ memberId }) => ({ memberId, assignment: Buffer.from(memberId) }))
}

/** Two members with their assignments. */
export async function stable(
  options: GroupShardUnderTestOptions = {},
): Promise<{ under: GroupShardUnderTest; clients: ClassicClient[] }> {
  const under = new GroupShardUnderTest(options)
  const clients = [new ClassicClient(under), new ClassicClient(under)]
  await joined(under, clients)
  const leader = leaderAmong(under, clients)
  const syncs = clients.map((client) => client.sync({ assignments: client === leader ? assignments(clients) : [] }))
  await under.time.advance(0)
  assert.deepEqual(
    syncs.map(textOf),
    clients.map(({ memberId }) => memberId),
  )
  return { under, clients }
}
