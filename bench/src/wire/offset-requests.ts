// Committing and reading a group's offsets, in the last versions before flexible encoding.
import type { Connection } from './connection.ts'
import { FieldReader, FieldWriter } from './fields.ts'
import type { MemberIdentity } from './group-requests.ts'

export interface TopicOffsets {
  readonly topic: string
  /** Offset by partition. */
  readonly offsets: ReadonlyMap<number, bigint>
}

/** A group without members: its offsets are committed by whoever likes. */
export const nobody = (group: string): MemberIdentity => ({ group, memberId: '', generation: -1 })

/** OffsetCommit v7. Returns the first error code that is not 0, or 0. */
export async function commitOffsets(
  connection: Connection,
  { group, memberId, generation }: MemberIdentity,
  topics: readonly TopicOffsets[],
): Promise<number> {
  const request = new FieldWriter().string(group).int32(generation).string(memberId).string(null)
  request.array(topics, ({ topic, offsets }) =>
    request
      .string(topic)
      .array([...offsets], ([partition, offset]) => request.int32(partition).int64(offset).int32(-1).string('')),
  )
  const response = new FieldReader(await connection.request(8, 7, request.finish()))
  response.int32() // throttle time
  const errorCodes = response.array(() => {
    response.string()
    return response.array(() => {
      response.int32()
      return response.int16()
    })
  })
  return errorCodes.flat().find((errorCode) => errorCode !== 0) ?? 0
}

/** OffsetFetch v5 of one partition. The offset is -1 where nothing was committed. */
export async function committedOffset(
  connection: Connection,
  group: string,
  { topic, partition }: { readonly topic: string; readonly partition: number },
): Promise<{ errorCode: number; offset: bigint }> {
  const request = new FieldWriter().string(group)
  request.array([topic], (name) => request.string(name).array([partition], (index) => request.int32(index)))
  const response = new FieldReader(await connection.request(9, 5, request.finish()))
  response.int32() // throttle time
  const found = response.array(() => {
    response.string()
    return response.array(() => {
      response.int32()
      const offset = response.int64()
      response.int32() // leader epoch
      response.string() // metadata
      return { errorCode: response.int16(), offset }
    })
  })
  const errorCode = response.int16()
  const [partitionAnswer = { errorCode, offset: -1n }] = found.flat()
  return errorCode === 0 ? partitionAnswer : { errorCode, offset: -1n }
}
