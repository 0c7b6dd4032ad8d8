import type { Endpoint } from '../../wire/connection.ts'
import type { HeartbeatPace } from './heartbeat-pace.ts'
import type { Ownership } from './ownership.ts'
import type { TopicGrid } from './topic-grid.ts'

/** What the members of a group have in common. */
export interface Membership {
  readonly group: string
  readonly grid: TopicGrid
  readonly ownership: Ownership
  readonly pace: HeartbeatPace
}

/** A member over a connection of its own, which is open before it joins. */
export interface GroupMember extends Disposable {
  /** Joins and stays until told to leave. @throws Error for an answer that no member should get. */
  run(): Promise<void>
  leave(): void
}

export type OpenMember = (endpoint: Endpoint, membership: Membership) => Promise<GroupMember>
