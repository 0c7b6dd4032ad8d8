/**
 * What share state is kept for: a group and a partition. As the key of its coordinator it is written `groupId:topicId:partition`, where
 * the group id may have colons of its own. Source: Kafka's SharePartitionKey.
 */

export interface SharePartitionKey {
  readonly groupId: string
  /** 22 characters of URL-safe base64. */
  readonly topicId: string
  readonly partition: number
}

const UUID_BYTES = 16

/** null when the text is no such key. What it holds is what Java would read: padded ids and signs are taken, too. */
export function parseSharePartitionKey(text: string): SharePartitionKey | null {
  // Java's split drops empty strings at the end.
  const match = /^([^]+):([\w-]{22})(?:==)?:([+-]?\d+):*$/.exec(text)
  if (match === null) return null
  const [, groupId = '', id = '', digits] = match
  const partition = Number(digits)
  if (!hasLetter(groupId) || partition !== (partition | 0)) return null
  const topicId = Buffer.from(id, 'base64url')
  return topicId.length === UUID_BYTES ? { groupId, topicId: topicId.toString('base64url'), partition } : null
}

/** Its hash says which partition of `__share_group_state` holds the state. */
export function formatSharePartitionKey({ groupId, topicId, partition }: SharePartitionKey): string {
  return `${groupId}:${topicId}:${partition}`
}

/** Anything that Java's `trim` would leave. */
function hasLetter(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) > 0x20) return true
  return false
}
