/** What to tell the application of a batch that cannot be read. */
import { KafkaError } from '@millrace/protocol'
import type { AssignedPartition } from '../positions/assigned-partition.ts'

export function unreadable({ topic, partition, position }: AssignedPartition<unknown, unknown>, error: Error): Error {
  if (!(error instanceof KafkaError)) return error
  return new KafkaError(
    error.code,
    `${topic}-${partition} cannot be read at offset ${position?.offset}: ${error.message}. Seek past it to go on without it`,
    { cause: error },
  )
}
