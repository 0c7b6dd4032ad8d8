/**
 * What the sticky assignors tell each other in the user data of a subscription, as Kafka's do. No version stands in front: members older than
 * Kafka 2.3 leave the generation out.
 */
import { array, int32, MalformedMessageError, message, Reader, string, Writer } from '@millrace/protocol'
import type { OwnershipClaim } from './ownership-claims.ts'
import { partitionsByTopic } from './partitions-by-topic.ts'
import type { TopicPartition } from '../record.ts'

/** Of `sticky`: what the member had before it gave everything up, and since when. */
const PreviousAssignment = message({
  name: 'PreviousAssignment',
  versions: [0, 1],
  flexible: null,
  fields: {
    topics: array({ topic: string, partitions: array(int32) }),
    generationId: int32.since(1).default(-1),
  },
})

/** Of `cooperative-sticky`: what the member owns stands in the subscription itself. */
const OwningGeneration = message({
  name: 'OwningGeneration',
  versions: [0, 0],
  flexible: null,
  fields: { generationId: int32 },
})

const UNKNOWN: OwnershipClaim = { partitions: [], generationId: -1 }

export function encodePreviousAssignment(partitions: readonly TopicPartition[], generationId: number): Uint8Array {
  const writer = new Writer()
  PreviousAssignment.encode(writer, { topics: partitionsByTopic(partitions), generationId }, 1)
  return Buffer.concat(writer.finish())
}

/** A claim to nothing when the bytes are not what they should be: they may be another assignor's. */
export function decodePreviousAssignment(userData: Uint8Array | null): OwnershipClaim {
  if (userData === null || userData.length === 0) return UNKNOWN
  for (const version of [1, 0]) {
    try {
      const { topics, generationId } = PreviousAssignment.decode(new Reader(userData), version)
      const partitions = topics.flatMap(({ topic, partitions }) =>
        partitions.map((partition) => ({ topic, partition })),
      )
      return { partitions, generationId }
    } catch (error) {
      if (!(error instanceof MalformedMessageError)) throw error
    }
  }
  return UNKNOWN
}

export function encodeOwningGeneration(generationId: number): Uint8Array {
  const writer = new Writer(4)
  OwningGeneration.encode(writer, { generationId }, 0)
  return Buffer.concat(writer.finish())
}

/** -1 when it is not told. */
export function decodeOwningGeneration(userData: Uint8Array | null): number {
  if (userData === null || userData.length < 4) return -1
  return OwningGeneration.decode(new Reader(userData), 0).generationId
}
