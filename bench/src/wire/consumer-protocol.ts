// What members of protocol type `consumer` tell each other through the coordinator (ConsumerProtocolSubscription and -Assignment, version 0).
import { FieldReader, FieldWriter } from './fields.ts'

export interface AssignedTopic {
  readonly topic: string
  readonly partitions: readonly number[]
}

export function subscription(topics: readonly string[]): Buffer {
  const fields = new FieldWriter().int16(0)
  return fields
    .array(topics, (topic) => fields.string(topic))
    .int32(-1)
    .finish()
}

export function assignment(topics: readonly AssignedTopic[]): Buffer {
  const fields = new FieldWriter().int16(0)
  fields.array(topics, ({ topic, partitions }) =>
    fields.string(topic).array(partitions, (partition) => fields.int32(partition)),
  )
  return fields.int32(-1).finish()
}

/** An empty buffer is an assignment of nothing. */
export function readAssignment(bytes: Buffer): AssignedTopic[] {
  if (bytes.length === 0) return []
  const fields = new FieldReader(bytes)
  fields.int16()
  return fields.array(() => ({ topic: fields.string() ?? '', partitions: fields.array(() => fields.int32()) }))
}
