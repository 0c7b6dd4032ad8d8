/**
 * What the members of a group subscribe to, together: topics by name, regular expressions, and the topics that these stand for.
 * Source: Kafka's SubscriptionCount and ConsumerGroup.
 */
import type { SubscriptionType } from '../assignors/assignor.ts'
import type { ConsumerMember } from './consumer-member.ts'

/** The topics that a regular expression stood for when it was looked up. */
export interface ResolvedRegex {
  readonly topics: ReadonlySet<string>
  /** Of the metadata image. */
  readonly version: bigint
  readonly timestampMs: number
}

interface Count {
  /** Members that name the topic. */
  byName: number
  /** Regular expressions that stand for it. */
  byRegex: number
}

type Subscriber = Pick<ConsumerMember, 'subscribedTopics' | 'subscribedRegex'>

export interface TopicListener {
  topicAdded(topic: string): void
  topicRemoved(topic: string): void
}

export class Subscriptions {
  readonly #topics: Map<string, Count>
  /** Members by regular expression. */
  readonly #regexes: Map<string, number>
  readonly #resolved: Map<string, ResolvedRegex>
  readonly #listener: TopicListener | null

  constructor(listener: TopicListener | null = null, from: Subscriptions | null = null) {
    this.#listener = listener
    this.#topics = new Map(from === null ? [] : Array.from(from.#topics, ([topic, count]) => [topic, { ...count }]))
    this.#regexes = new Map(from === null ? [] : from.#regexes)
    this.#resolved = new Map(from === null ? [] : from.#resolved)
  }

  /** To find out what a change would lead to. */
  copy(): Subscriptions {
    return new Subscriptions(null, this)
  }

  get topics(): MapIterator<string> {
    return this.#topics.keys()
  }

  has(topic: string): boolean {
    return this.#topics.has(topic)
  }

  get regexes(): ReadonlyMap<string, number> {
    return this.#regexes
  }

  get resolved(): ReadonlyMap<string, ResolvedRegex> {
    return this.#resolved
  }

  /** Members that subscribe to the regular expression. */
  subscribersOf(regex: string): number {
    return this.#regexes.get(regex) ?? 0
  }

  /** A member has come (`before` null), changed or gone (`after` null). */
  replace(before: Subscriber | null, after: Subscriber | null): void {
    if (before !== null) {
      for (const topic of before.subscribedTopics) this.#count(topic, 'byName', -1)
      this.#countRegex(before.subscribedRegex, -1)
    }
    if (after !== null) {
      for (const topic of after.subscribedTopics) this.#count(topic, 'byName', 1)
      this.#countRegex(after.subscribedRegex, 1)
    }
  }

  /** null takes it away. */
  resolve(regex: string, resolved: ResolvedRegex | null): void {
    for (const topic of this.#resolved.get(regex)?.topics ?? []) this.#count(topic, 'byRegex', -1)
    if (resolved === null) this.#resolved.delete(regex)
    else {
      this.#resolved.set(regex, resolved)
      for (const topic of resolved.topics) this.#count(topic, 'byRegex', 1)
    }
  }

  /** The regular expressions that there will be when the member has changed. */
  regexesAfter({ subscribedRegex: before }: Subscriber, { subscribedRegex: after }: Subscriber): string[] {
    const regexes = new Set(this.#regexes.keys())
    if (before !== after && this.subscribersOf(before) === 1) regexes.delete(before)
    if (after !== '') regexes.add(after)
    return [...regexes]
  }

  /** Regular expressions nobody subscribes to any more. */
  unusedRegexes(): string[] {
    return [...this.#resolved.keys()].filter((regex) => !this.#regexes.has(regex))
  }

  /**
   * Homogeneous when all members name the same topics and none has a regular expression, or all have the same one and name no topics.
   */
  type(memberCount: number): SubscriptionType {
    const [subscribers] = this.#regexes.values()
    if (subscribers !== undefined && subscribers !== memberCount) return 'heterogeneous'
    for (const { byName, byRegex } of this.#topics.values()) {
      const isOfAll = subscribers === undefined ? byName === memberCount : byRegex === 1 && byName <= 0
      if (!isOfAll) return 'heterogeneous'
    }
    return 'homogeneous'
  }

  /** The names of all topics a member subscribes to. An expression that is not resolved yet stands for none. */
  topicsOf({ subscribedTopics, subscribedRegex }: Subscriber): ReadonlySet<string> {
    const resolved = subscribedRegex === '' ? undefined : this.#resolved.get(subscribedRegex)
    if (resolved === undefined || resolved.topics.size === 0) return subscribedTopics
    if (subscribedTopics.size === 0) return resolved.topics
    return new Set([...subscribedTopics, ...resolved.topics])
  }

  #count(topic: string, kind: keyof Count, change: 1 | -1): void {
    let count = this.#topics.get(topic)
    if (count === undefined) {
      if (change < 0) return
      count = { byName: 0, byRegex: 0 }
      this.#topics.set(topic, count)
      this.#listener?.topicAdded(topic)
    }
    count[kind] += change
    if (count.byName > 0 || count.byRegex > 0) return
    this.#topics.delete(topic)
    this.#listener?.topicRemoved(topic)
  }

  #countRegex(regex: string, change: 1 | -1): void {
    if (regex === '') return
    const count = this.subscribersOf(regex) + change
    if (count > 0) this.#regexes.set(regex, count)
    else this.#regexes.delete(regex)
  }
}
