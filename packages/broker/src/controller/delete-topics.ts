/** Which topics a request to delete means: Kafka's rules for names, ids and duplicates (KIP-516). */
import { defaultErrorMessage, ErrorCode, ZERO_UUID } from '@millrace/protocol'
import type { TimeSlice } from '@millrace/runtime'
import type { MetadataImage, TopicImage } from '../metadata/image.ts'

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
  | { readonly kind: 'topic'; readonly topic: TopicImage }
  | { readonly kind: 'answer'; readonly outcome: TopicOutcome }

export interface Selection {
  /** How often a name or an id is given. */
  readonly timesNamed: ReadonlyMap<string, number>
  readonly timesIdentified: ReadonlyMap<string, number>
}

export async function countSelectors(selectors: readonly TopicSelector[], slice: TimeSlice): Promise<Selection> {
  const timesNamed = new Map<string, number>()
  const timesIdentified = new Map<string, number>()
  for (const { name, topicId } of selectors) {
    if (slice.isOver) await slice.next()
    if (name !== null && topicId === ZERO_UUID) timesNamed.set(name, (timesNamed.get(name) ?? 0) + 1)
    if (name === null && topicId !== ZERO_UUID) timesIdentified.set(topicId, (timesIdentified.get(topicId) ?? 0) + 1)
  }
  return { timesNamed, timesIdentified }
}

export function selectTopic({ name, topicId }: TopicSelector, selection: Selection, image: MetadataImage): Selected {
  const refused = (errorCode: number, errorMessage = defaultErrorMessage(errorCode)): Selected => ({
    kind: 'answer',
    outcome: { name, topicId, errorCode, errorMessage },
  })
  if (name !== null && topicId !== ZERO_UUID)
    return refused(ErrorCode.INVALID_REQUEST, 'You may not specify both topic name and topic id.')
  if (name === null && topicId === ZERO_UUID)
    return refused(ErrorCode.INVALID_REQUEST, 'Neither topic name nor id were specified.')
  if (name === null && (selection.timesIdentified.get(topicId) ?? 0) > 1)
    return refused(ErrorCode.INVALID_REQUEST, 'Duplicate topic id.')
  if (name !== null && (selection.timesNamed.get(name) ?? 0) > 1)
    return refused(ErrorCode.INVALID_REQUEST, 'Duplicate topic name.')
  const topic = name === null ? image.topicById(topicId) : image.topics.get(name)
  if (topic === undefined)
    return refused(name === null ? ErrorCode.UNKNOWN_TOPIC_ID : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  const isSuppliedTwice =
    name === null ? selection.timesNamed.get(topic.name) === 1 : selection.timesIdentified.has(topic.id)
  if (isSuppliedTwice)
    return refused(ErrorCode.INVALID_REQUEST, 'The provided topic name maps to an ID that was already supplied.')
  return { kind: 'topic', topic }
}
