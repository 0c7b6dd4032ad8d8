import type { TopicPartition } from '../record.ts'
import { partitionName } from './partition-names.ts'

/** What `onError` gets when the application did not ask for records within maxPollIntervalMs. */
export class MaxPollIntervalExceeded extends Error {
  override readonly name = 'MaxPollIntervalExceeded'
  readonly overrunMs: number
  /** What was being handled; null when that is not known. */
  readonly partition: TopicPartition | null

  constructor(overrunMs: number, partition: TopicPartition | null) {
    const handler = partition === null ? '' : `: handler of ${partitionName(partition)}`
    super(
      `maxPollIntervalMs exceeded by ${overrunMs} ms${handler}. The member has left the group, and its partitions go to others; ` +
        'it joins again when it asks for records. Handle records faster, ask for fewer (maxPollRecords), or raise maxPollIntervalMs',
    )
    this.overrunMs = overrunMs
    this.partition = partition
  }
}
