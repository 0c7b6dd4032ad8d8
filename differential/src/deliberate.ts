/** Where our broker answers otherwise than Kafka 4.3.1, and is to. */
import type { Difference } from './answers.ts'
import type { Exchange } from './duet.ts'
import { show } from './show.ts'

export interface Deliberate {
  /** Name of the API, or of a record. */
  readonly message: string
  /** Of the field, without indexes. */
  readonly path: RegExp
  /** `history`: what was said before. */
  readonly when?: (difference: Difference, exchange: Exchange | null, history: readonly Exchange[]) => boolean
  /** The brokers are in different states from here on, so that a walk ends. */
  readonly diverges?: boolean
  readonly reason: string
}

const anyMessage = '*'

export const deliberateDifferences: readonly Deliberate[] = [
  {
    message: anyMessage,
    path: /(^|\.)(errorMessage|batchIndexErrorMessage)$/,
    when: ({ ours }) => ours !== null,
    reason: 'error messages are in our own words, and some errors have one where Kafka has none',
  },
  {
    message: 'JoinGroup',
    path: /^(leader|members)$/,
    when: (_difference, exchange, history) => isLeaderReplaced(exchange!, history),
    diverges: true,
    reason:
      'a leader that is gone is replaced by the member that joined first; in Kafka by whom its hash map gives first',
  },
  {
    message: 'ConsumerGroupRegularExpression',
    path: /^version$/,
    reason: 'each broker counts the versions of its metadata in its own way',
  },
  {
    message: 'WriteTxnMarkers',
    path: /^markers.topics.partitions.errorCode$/,
    when: ({ kafka, ours }, exchange) => kafka === -1 && ours === 47 && show(exchange).includes('producerEpoch: -1'),
    reason:
      'a marker with the epoch -1 has an invalid epoch; Kafka fails while it builds the batch and answers UNKNOWN_SERVER_ERROR',
  },
  {
    message: 'WriteTxnMarkers',
    path: /^markers$/,
    when: ({ kafka, ours }) => isEmpty(kafka) && (ours as { topics: unknown }[]).every(({ topics }) => isEmpty(topics)),
    reason: 'a marker for no topics is answered with no topics; Kafka leaves it out of its answer',
  },
  {
    message: 'WriteTxnMarkers',
    path: /^markers$/,
    when: ({ kafka, ours }) => isEmpty(kafka) === false && (ours as unknown[]).length > (kafka as unknown[]).length,
    reason:
      'each marker is answered for itself; Kafka merges the answers of those of one producer, which no coordinator sends',
  },
]

export function deliberate(
  message: string,
  difference: Difference,
  exchange: Exchange | null,
  history: readonly Exchange[],
): Deliberate | null {
  const path = difference.path.replaceAll(/\[\d+\]/g, '')
  return (
    deliberateDifferences.find(
      (one) =>
        [message, anyMessage].includes(one.message) &&
        one.path.test(path) &&
        (one.when?.(difference, exchange, history) ?? true),
    ) ?? null
  )
}

function isEmpty(list: unknown): boolean {
  return Array.isArray(list) && list.length === 0
}

interface Joined {
  readonly errorCode: number
  readonly leader: string
}

/** Whether the leader of the generation before is neither Kafka's leader now nor ours. */
function isLeaderReplaced(exchange: Exchange, history: readonly Exchange[]): boolean {
  const { groupId } = exchange.request as { groupId: string }
  const led = history.findLast(
    ({ api, request, answer, differences }) =>
      api === 'JoinGroup' &&
      (request as { groupId: string }).groupId === groupId &&
      (answer as Joined | null)?.errorCode === 0 &&
      differences.length === 0,
  )
  const former = (led?.answer as Joined | undefined)?.leader
  const difference = exchange.differences.find(({ path }) => path === 'leader')
  return former !== undefined && difference !== undefined && ![difference.kafka, difference.ours].includes(former)
}
