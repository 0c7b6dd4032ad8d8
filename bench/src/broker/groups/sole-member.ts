import { assignment, subscription } from '../../wire/consumer-protocol.ts'
import type { Connection } from '../../wire/connection.ts'
import { findCoordinator, joinGroup, type MemberIdentity, syncGroup } from '../../wire/group-requests.ts'
import { untilCoordinated } from './coordinator-errors.ts'

/** The longest that a broker allows by default: nobody heartbeats. */
const sessionTimeoutMs = 1_800_000
const memberIdRequired = 79

/** Makes a classic group of one member that owns partition 0 of each topic, and returns who it is. */
export async function soleMember(
  connection: Connection,
  group: string,
  topics: readonly string[],
): Promise<MemberIdentity> {
  await untilCoordinated('FindCoordinator', () => findCoordinator(connection, group))
  let member: MemberIdentity = { group, memberId: '', generation: -1 }
  await untilCoordinated(
    'JoinGroup',
    async () => {
      const { errorCode, memberId, generation } = await joinGroup(connection, {
        group,
        memberId: member.memberId,
        sessionTimeoutMs,
        rebalanceTimeoutMs: sessionTimeoutMs,
        protocol: 'range',
        metadata: subscription(topics),
      })
      member = { group, memberId, generation }
      return errorCode
    },
    memberIdRequired,
  )
  const mine = assignment(topics.map((topic) => ({ topic, partitions: [0] })))
  const { errorCode } = await syncGroup(connection, member, new Map([[member.memberId, mine]]))
  if (errorCode !== 0) throw new Error(`SyncGroup: error ${errorCode}`)
  return member
}
