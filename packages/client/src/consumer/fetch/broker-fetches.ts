/** What a fetcher remembers of one broker. One request is under way at a time: brokers answer those of a connection one after the other. */
import type { AssignedPartition } from '../positions/assigned-partition.ts'
import { FetchSession } from './fetch-session.ts'

/** A partition as it stood when it was asked for. */
export interface AskedPartition<K, V> {
  readonly of: AssignedPartition<K, V>
  readonly generation: number
  readonly fetchOffset: bigint
}

/** Of a partition in `asked`. */
export function askedName(partition: number, topicOrId: string): string {
  return `${partition} ${topicOrId}`
}

export class BrokerFetches<K, V> {
  readonly nodeId: number
  readonly session = new FetchSession()
  /** A request or the opening of the connection. */
  isBusy = false
  /** What the request under way may bring, against the bound of all. */
  reservedBytes = 0
  failures = 0
  /** On the monotonic clock: nothing is sent before that. */
  notBeforeMs = 0
  /** Of the last request, by `askedName`. */
  asked = new Map<string, AskedPartition<K, V>>()
  /** The last request did not wait for data and got none: until then it is not repeated unless there is news. */
  quietUntilMs = 0

  constructor(nodeId: number) {
    this.nodeId = nodeId
  }

  /** Whether a request for `wanted` would ask anything that the last one did not. */
  isNews(wanted: readonly AssignedPartition<K, V>[]): boolean {
    const known = new Map([...this.asked.values()].map((asked) => [asked.of, asked]))
    return wanted.some((partition) => {
      const asked = known.get(partition)
      return asked?.generation !== partition.generation || asked.fetchOffset !== partition.fetchPlace.offset
    })
  }
}
