// What members of a group send: the classic protocol in its last versions before flexible encoding, and KIP-848's heartbeat.
import type { Connection } from './connection.ts'
import { FieldReader, FieldWriter } from './fields.ts'

/** FindCoordinator v2 for a group. Returns the error code. */
export async function findCoordinator(connection: Connection, group: string): Promise<number> {
  const response = new FieldReader(await connection.request(10, 2, new FieldWriter().string(group).int8(0).finish()))
  response.int32() // throttle time
  return response.int16()
}

export interface JoinRequest {
  readonly group: string
  readonly memberId: string
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  readonly protocol: string
  readonly metadata: Uint8Array
}

export interface JoinResponse {
  readonly errorCode: number
  readonly generation: number
  readonly leader: string
  readonly memberId: string
  /** Only the leader is told them. */
  readonly members: readonly string[]
}

/** JoinGroup v5 of a dynamic member with one protocol of type `consumer`. */
export async function joinGroup(connection: Connection, join: JoinRequest): Promise<JoinResponse> {
  const request = new FieldWriter().string(join.group).int32(join.sessionTimeoutMs).int32(join.rebalanceTimeoutMs)
  request.string(join.memberId).string(null).string('consumer')
  request.array([join], ({ protocol, metadata }) => request.string(protocol).bytes(metadata))
  const response = new FieldReader(await connection.request(11, 5, request.finish()))
  response.int32() // throttle time
  const errorCode = response.int16()
  const generation = response.int32()
  response.string() // protocol
  const leader = response.string() ?? ''
  const memberId = response.string() ?? ''
  const members = response.array(() => {
    const member = response.string() ?? ''
    response.string() // instance id
    response.bytes() // metadata
    return member
  })
  return { errorCode, generation, leader, memberId, members }
}

/** Who speaks, in which generation. */
export interface MemberIdentity {
  readonly group: string
  readonly memberId: string
  readonly generation: number
}

/** SyncGroup v3. `assignments` by member id; empty unless the leader sends it. */
export async function syncGroup(
  connection: Connection,
  { group, memberId, generation }: MemberIdentity,
  assignments: ReadonlyMap<string, Uint8Array>,
): Promise<{ errorCode: number; assignment: Buffer }> {
  const request = new FieldWriter().string(group).int32(generation).string(memberId).string(null)
  request.array([...assignments], ([member, assignment]) => request.string(member).bytes(assignment))
  const response = new FieldReader(await connection.request(14, 3, request.finish()))
  response.int32() // throttle time
  return { errorCode: response.int16(), assignment: response.bytes() }
}

/** Heartbeat v3. Returns the error code. */
export async function heartbeat(
  connection: Connection,
  { group, memberId, generation }: MemberIdentity,
): Promise<number> {
  const request = new FieldWriter().string(group).int32(generation).string(memberId).string(null)
  const response = new FieldReader(await connection.request(12, 3, request.finish()))
  response.int32() // throttle time
  return response.int16()
}

/** LeaveGroup v3 of one member. Returns the error code. */
export async function leaveGroup(connection: Connection, { group, memberId }: MemberIdentity): Promise<number> {
  const request = new FieldWriter().string(group)
  request.array([memberId], (id) => request.string(id).string(null))
  const response = new FieldReader(await connection.request(13, 3, request.finish()))
  response.int32() // throttle time
  const errorCode = response.int16()
  const [member = errorCode] = response.array(() => {
    response.string()
    response.string()
    return response.int16()
  })
  return errorCode === 0 ? member : errorCode
}

/** Partitions of a topic, whose id is 16 bytes in hexadecimal. */
export interface TopicPartitions {
  readonly topicId: string
  readonly partitions: readonly number[]
}

export interface ConsumerHeartbeat {
  readonly group: string
  readonly memberId: string
  /** 0 joins, -1 leaves. */
  readonly epoch: number
  /** null and -1 when they are as in the request before. */
  readonly rebalanceTimeoutMs: number
  readonly topics: readonly string[] | null
  readonly owned: readonly TopicPartitions[] | null
}

export interface ConsumerHeartbeatResponse {
  readonly errorCode: number
  readonly errorMessage: string | null
  readonly epoch: number
  readonly intervalMs: number
  /** null when it is as before. */
  readonly assignment: readonly TopicPartitions[] | null
}

/** ConsumerGroupHeartbeat v1 with the group's own assignor. */
export async function consumerGroupHeartbeat(
  connection: Connection,
  beat: ConsumerHeartbeat,
): Promise<ConsumerHeartbeatResponse> {
  const request = new FieldWriter().compactString(beat.group).compactString(beat.memberId).int32(beat.epoch)
  request.compactString(null).compactString(null).int32(beat.rebalanceTimeoutMs) // instance id, rack
  request.compactArray(beat.topics, (topic) => request.compactString(topic))
  request.compactString(null).compactString(null) // regular expression, assignor
  request.compactArray(beat.owned, ({ topicId, partitions }) =>
    request
      .raw(Buffer.from(topicId, 'hex'))
      .compactArray(partitions, (partition) => request.int32(partition))
      .noTags(),
  )
  request.noTags()
  const response = new FieldReader(await connection.flexibleRequest(68, 1, request.finish()))
  response.int32() // throttle time
  const errorCode = response.int16()
  const errorMessage = response.compactString()
  response.compactString() // member id
  const epoch = response.int32()
  const intervalMs = response.int32()
  const assignment = response.int8() < 0 ? null : readAssignment(response)
  return { errorCode, errorMessage, epoch, intervalMs, assignment }
}

const readAssignment = (response: FieldReader): TopicPartitions[] =>
  response.compactArray(() => {
    const topicId = response.raw(16).toString('hex')
    const partitions = response.compactArray(() => response.int32())
    response.skipTags()
    return { topicId, partitions }
  })
