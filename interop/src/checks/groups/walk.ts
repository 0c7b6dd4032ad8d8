// The life of one group of one client: joins, rebalances, commits, a leave, a crash, a resume, static members.
import { expectEqual, expectSameItems, expectTrue } from '../../expect.ts'
import type { Report } from '../../report.ts'
import { eventually } from '../eventually.ts'
import { GroupRun, partitionCount, sessionTimeoutMs, type GroupRunOptions } from './group-run.ts'
import type { Member } from './member.ts'

/** A crash is noticed when the last heartbeat is a session timeout old; members send one every 300 ms. Both with time for a busy machine. */
const earliestNoticeMs = sessionTimeoutMs / 2
const latestNoticeMs = sessionTimeoutMs + 20_000
/** Long enough for a new process to start on a busy machine. */
const staticSessionTimeoutMs = 20_000
/** kcat commits every 5 s, whatever it is told: it takes the interval for the topic setting of that name. */
const committedWithinMs = 10_000

export async function checkGroup(report: Report, label: string, options: GroupRunOptions): Promise<void> {
  const { client, membership, observer } = options
  const groups = client.groups!
  await using run = new GroupRun(options)
  let rounds = 0
  /** Reads a round and commits it, each time in another of the client's styles. */
  const readAndCommit = async () => {
    await run.round()
    const style = groups.commits[rounds++ % groups.commits.length]!
    const metadata = style === 'partition' && groups.metadata !== 'none' ? `round ${rounds}` : ''
    for (const member of run.members) await member.commit(style, run.topic, metadata)
    await eventually(() => run.expectCommitted(metadata), committedWithinMs)
    return `commit ${style}${metadata === '' ? '' : ' with metadata'}`
  }
  const sharedAndRead = async () => {
    const tookMs = await run.untilShared()
    await run.expectDescribed()
    return `shared after ${tookMs} ms; ${await readAndCommit()}`
  }
  let goesOn = true
  const check = async (what: string, step: () => Promise<string | void>) => {
    if (goesOn) goesOn = await report.check(client, `${label}: ${what}`, step)
  }

  await check('two members join', async () => {
    await observer.createTopic(run.topic, partitionCount)
    await run.join('first')
    await run.join('second')
    return sharedAndRead()
  })
  await check('a third joins', async () => {
    const before = [...run.members].map((member) => ({ member, had: member.assigned, revoked: member.revoked }))
    await run.join('third')
    const note = await sharedAndRead()
    for (const { member, had, revoked } of before) {
      if (membership.isCooperative !== true || revoked === null || member.revoked === null) continue
      const lost = had.filter((partition) => !member.assigned.includes(partition)).length
      expectEqual(member.revoked - revoked, lost, `partitions revoked from ${member.name}`)
    }
    return note
  })
  await check('one leaves', async () => {
    await run.leave([...run.members][0]!)
    return sharedAndRead()
  })
  await check('one crashes', async () => {
    const [survivor, victim] = [...run.members] as [Member, Member]
    const already = victim.records.length
    await run.round()
    await survivor.commit('sync', run.topic, '')
    expectEqual(victim.records.length - already, run.roundSize / 2, 'records the victim read')
    const commitsOnItsOwn = groups.commits.includes('auto')
    if (commitsOnItsOwn) await eventually(() => run.expectCommitted(), committedWithinMs)
    const uncommitted = commitsOnItsOwn ? [] : victim.records.slice(already)
    run.expectAgain(uncommitted)
    await run.kill(victim)
    const tookMs = await run.untilShared()
    expectTrue(tookMs > earliestNoticeMs && tookMs < latestNoticeMs, `noticed after ${tookMs} ms`)
    await run.untilRead()
    await survivor.commit('sync', run.topic, '')
    await eventually(() => run.expectCommitted(), committedWithinMs)
    return `noticed after ${tookMs} ms; ${uncommitted.length} uncommitted records read again`
  })
  await check('the group stops and resumes', async () => {
    for (const member of run.members) await run.leave(member)
    await eventually(async () => expectEqual((await observer.describe(run.group)).state, 'Empty', 'state'))
    await run.join('resumed', { autoCommit: groups.autoCommits })
    await run.untilShared()
    if (!groups.autoCommits) return readAndCommit()
    await run.round()
    await eventually(async () => {
      await run.poll()
      await run.expectCommitted()
    }, committedWithinMs)
    return 'commits automatically'
  })
  if (membership.isStatic ?? groups.isStatic)
    await check('static members restart without a rebalance', () => restartStatic(options))
}

/** A static member that restarts within its session gets its share back, and nobody else notices. */
async function restartStatic(options: GroupRunOptions): Promise<void> {
  const { observer } = options
  await using run = new GroupRun({
    ...options,
    name: `${options.name}-static`,
    sessionTimeoutMs: staticSessionTimeoutMs,
  })
  const commit = async () => {
    for (const member of run.members) await member.commit('sync', run.topic, '')
    await eventually(() => run.expectCommitted(), committedWithinMs)
  }
  await observer.createTopic(run.topic, partitionCount)
  if (options.membership.protocol === 'consumer')
    await observer.configureGroup(run.group, { 'consumer.session.timeout.ms': String(staticSessionTimeoutMs) })
  const staying = await run.join('static one', { instanceId: 'one' })
  const going = await run.join('static two', { instanceId: 'two' })
  await run.untilShared()
  await run.expectDescribed()
  await run.round()
  await commit()
  const { rebalances, assigned } = staying
  const share = going.assigned
  await run.leave(going)
  const back = await run.join('static two again', { instanceId: 'two' })
  await run.pollUntil('the share of the one that restarted', () => back.assigned.join() === share.join())
  await run.round()
  expectEqual(staying.assigned, assigned, 'share of the one that stayed')
  expectEqual(staying.rebalances, rebalances, 'rebalances of the one that stayed')
  const { members } = await observer.describe(run.group)
  expectSameItems(
    members.map(({ instanceId }) => instanceId),
    ['one', 'two'],
    'instance ids',
  )
}
