/** A partition as share groups name it: a topic that was made anew is another one. */
export interface TopicIdPartition {
  readonly topicId: string
  readonly partition: number
}

/** Its name in maps. */
export function partitionKey({ topicId, partition }: TopicIdPartition): string {
  return `${topicId}:${partition}`
}
