/** What a topic may be called. */

/** Groups, and the offsets they have committed. */
export const OFFSETS_TOPIC = '__consumer_offsets'
export const TRANSACTION_STATE_TOPIC = '__transaction_state'
export const SHARE_STATE_TOPIC = '__share_group_state'

/** Topics of the broker's own coordinators. */
const INTERNAL_TOPICS: ReadonlySet<string> = new Set([OFFSETS_TOPIC, TRANSACTION_STATE_TOPIC, SHARE_STATE_TOPIC])

/** KRaft's name for the log of the cluster's metadata. There is none here, but nobody may take the name. */
export const CLUSTER_METADATA_TOPIC = '__cluster_metadata'

/** Leaves room for `-<partition>` and `-delete` suffixes in a directory name of 255 bytes. */
const MAX_NAME_LENGTH = 249

export function isInternalTopic(name: string): boolean {
  return INTERNAL_TOPICS.has(name)
}

/** Why `name` cannot be a topic's name, as a sentence; null when it can. */
export function topicNameProblem(name: string): string | null {
  const problem = problemOf(name)
  return problem === null ? null : `Topic name is invalid: ${problem}`
}

function problemOf(name: string): string | null {
  if (name === '') return 'the empty string is not allowed'
  if (name === '.' || name === '..') return `'${name}' is not allowed`
  if (name.length > MAX_NAME_LENGTH)
    return `'${name.slice(0, MAX_NAME_LENGTH)}…' has ${name.length} characters, at most ${MAX_NAME_LENGTH} are allowed`
  if (!/^[a-zA-Z0-9._-]+$/.test(name))
    return `'${name}' contains characters other than ASCII alphanumerics, '.', '_' and '-'`
  return null
}

/**
 * The form in which names are compared for collisions: names of metrics cannot tell '.' from '_'. null when the name has neither, so
 * that nothing can collide with it.
 */
export function collisionForm(name: string): string | null {
  return name.includes('.') || name.includes('_') ? name.replaceAll('.', '_') : null
}
