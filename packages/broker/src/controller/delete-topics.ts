/** Which topics a request to delete means: Kafka's rules for names, ids and duplicates (KIP-516). */
import { defaultErrorMessage, ErrorCode, ZERO_UUID } from '@millrace/protocol'
import type { MetadataImage } from '../metadata/image.ts'

/** By name or by id: the other is null or the zero id. */
export interface TopicSelector {
  readonly name: string | null
  readonly topicId: string
}

export interface TopicOutcome extends TopicSelector {
  readonly errorCode: number
  readonly errorMessage: string | null
}

/** What a selector has come to: a topic to delete, or an answer. */
export type Selected =
  | { readonly kind: 'topic'; readonly id: string; readonly name: string }
  | ({ readonly kind: 'answer' } & TopicOutcome)

export interface Selection {
  /** How often a name or an id is given. */
  readonly timesNamed: ReadonlyMap<string, number>
  readonly timesIdentified: ReadonlyMap<string, number>
}

export function countSelectors(selectors: readonly TopicSelector[]): Selection {
  const timesNamed = new Map<string, number>()
  const timesIdentified = new Map<string, number>()
  for (const { name, topicId } of selectors) {
    if (name !== null && topicId === ZERO_UUID) timesNamed.set(name, (timesNamed.get(name) ?? 0) + 1)
    if (name === null && topicId !== ZERO_UUID) timesIdentified.set(topicId, (timesIdentified.get(topicId) ?? 0) + 1)
  }
  return { timesNamed, timesIdentified }
}

export function selectTopic({ name, topicId }: TopicSelector, selection: Selection, image: MetadataImage): Selected {
  const answer = (errorCode: number, errorMessage: string | null): Selected => ({
    kind: 'answer',
    name,
    topicId,
    errorCode,
    errorMessage,
  })
  if (name === null && topicId === ZERO_UUID)
    return answer(ErrorCode.INVALID_REQUEST, 'Neither topic name nor id were specified.')
  if (name !== null && topicId !== ZERO_UUID)
    return answer(ErrorCode.INVALID_REQUEST, 'You may not specify both topic name and topic id.')
  if (name === null) {
    if ((selection.timesIdentified.get(topicId) ?? 0) > 1)
      return answer(ErrorCode.INVALID_REQUEST, 'Duplicate topic id.')
    const found = image.topicNameById(topicId)
    if (found === undefined) return answer(ErrorCode.UNKNOWN_TOPIC_ID, defaultErrorMessage(ErrorCode.UNKNOWN_TOPIC_ID))
    if (selection.timesNamed.get(found) === 1) return suppliedTwice(found, topicId)
    return { kind: 'topic', id: topicId, name: found }
  }
  if ((selection.timesNamed.get(name) ?? 0) > 1) return answer(ErrorCode.INVALID_REQUEST, 'Duplicate topic name.')
  const topic = image.topics.get(name)
  if (topic === undefined)
    return answer(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, defaultErrorMessage(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION))
  if (selection.timesIdentified.has(topic.id)) return suppliedTwice(name, topic.id)
  return { kind: 'topic', id: topic.id, name }
}

function suppliedTwice(name: string, topicId: string): Selected {
  return {
    kind: 'answer',
    name,
    topicId,
    errorCode: ErrorCode.INVALID_REQUEST,
    errorMessage: 'The provided topic name maps to an ID that was already supplied.',
  }
}
