/** What a subscription stands for: the names themselves, or those that a pattern matches, which change with the cluster's topics. */
import type { Cluster } from '../cluster/cluster.ts'
import type { TopicInterest } from '../cluster/metadata.ts'
import type { Subscription } from '../consumer/membership.ts'
import { statelessPattern } from './stateless-pattern.ts'

export interface SubscribedTopicsOptions {
  readonly cluster: Cluster
  readonly excludeInternalTopics: boolean
  readonly allowAutoCreateTopics: boolean
  /** Other topics than before match the pattern. */
  readonly onChange: () => void
}

export class SubscribedTopics implements Disposable {
  readonly #options: SubscribedTopicsOptions
  readonly #interest: TopicInterest
  readonly #watch: Disposable
  #subscription: Subscription = []
  #names: readonly string[] = []

  constructor(options: SubscribedTopicsOptions) {
    this.#options = options
    this.#interest = options.cluster.metadata.watch()
    this.#watch = options.cluster.metadata.onChange(() => this.#match())
  }

  /** In order. */
  get names(): readonly string[] {
    return this.#names
  }

  /** `onChange` is not called for this. */
  use(subscription: Subscription): void {
    this.#subscription = subscription
    if (subscription instanceof RegExp) {
      this.#interest.set('all')
      this.#names = this.#matching(subscription)
    } else {
      this.#names = [...new Set(subscription)].toSorted()
      this.#interest.set(this.#names)
      if (this.#options.allowAutoCreateTopics) this.#create()
    }
  }

  /**
   * Asks what topics there are, if that has to be known: members that know the same topics join once for a new one, not one after the other.
   * @throws KafkaError when no broker answers; the signal's reason.
   */
  async refresh(signal: AbortSignal): Promise<void> {
    if (this.#subscription instanceof RegExp) await this.#options.cluster.metadata.refresh(signal)
  }

  [Symbol.dispose](): void {
    this.#interest[Symbol.dispose]()
    this.#watch[Symbol.dispose]()
  }

  #match(): void {
    if (!(this.#subscription instanceof RegExp)) return
    const names = this.#matching(this.#subscription)
    if (names.length === this.#names.length && names.every((name, index) => name === this.#names[index])) return
    this.#names = names
    this.#options.onChange()
  }

  #matching(pattern: RegExp): string[] {
    const stateless = statelessPattern(pattern)
    const { topics } = this.#options.cluster.metadata.image
    return [...topics.values()]
      .filter(({ name, isInternal }) => !(isInternal && this.#options.excludeInternalTopics) && stateless.test(name))
      .map(({ name }) => name)
      .toSorted()
  }

  /** Brokers with `auto.create.topics.enable` create what is asked for by name. */
  #create(): void {
    const { metadata, signal } = this.#options.cluster
    for (const name of this.#names) {
      if (metadata.image.topics.has(name)) continue
      // That it does not exist is no error of a consumer: it waits for the topic to come.
      metadata.topic(name, { allowCreation: true, signal }).catch(() => {})
    }
  }
}
