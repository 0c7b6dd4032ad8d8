/** Which topics the members of a classic group consume, if they are consumers: the rest of the protocol is none of the broker's business. */
import { ConsumerProtocolSubscription, Reader } from '@millrace/protocol'

/** Of groups whose members are Kafka consumers. */
export const consumerProtocolType = 'consumer'

/**
 * null when one of the subscriptions cannot be read. All versions begin with what version 0 has.
 * `subscriptions`: the members' metadata of the chosen protocol.
 */
export function subscribedTopics(subscriptions: Iterable<Uint8Array>): ReadonlySet<string> | null {
  const topics = new Set<string>()
  try {
    for (const subscription of subscriptions) {
      const reader = new Reader(subscription)
      const version = reader.int16()
      if (version < 0) return null
      for (const topic of ConsumerProtocolSubscription.decode(reader, 0).topics) topics.add(topic)
    }
  } catch {
    return null
  }
  return topics
}
