/** Which groups subscribe to a topic, so that its changes reach them. */
import type { TopicListener } from './subscriptions.ts'

export class TopicSubscribers {
  /** Group ids by topic. */
  readonly #groups = new Map<string, Set<string>>()

  /** What keeps the subscriptions of a group here. */
  of(groupId: string): TopicListener {
    return {
      topicAdded: (topic) => {
        const groups = this.#groups.get(topic)
        if (groups === undefined) this.#groups.set(topic, new Set([groupId]))
        else groups.add(groupId)
      },
      topicRemoved: (topic) => {
        const groups = this.#groups.get(topic)
        groups?.delete(groupId)
        if (groups?.size === 0) this.#groups.delete(topic)
      },
    }
  }

  toAnyOf(topics: Iterable<string>): Set<string> {
    const found = new Set<string>()
    for (const topic of topics) for (const group of this.#groups.get(topic) ?? []) found.add(group)
    return found
  }
}
