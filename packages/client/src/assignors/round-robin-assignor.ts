/** Deals all partitions of all topics in turn: topics by name, partitions by number, members in their order. */
import type { SynchronousAssignor } from './assignor.ts'
import { sortedMemberIds, subscribersByTopic } from './subscribed-members.ts'
import type { TopicPartition } from '../record.ts'

export function roundRobinAssignor(): SynchronousAssignor {
  return {
    name: 'roundrobin',
    supportedProtocols: ['eager'],
    assign(topics, members) {
      const memberIds = sortedMemberIds(members)
      const assignment = new Map<string, { partitions: TopicPartition[] }>(
        memberIds.map((memberId) => [memberId, { partitions: [] }]),
      )
      let next = 0
      for (const [topic, subscribers] of subscribersByTopic(topics, members, memberIds)) {
        const takers = new Set(subscribers)
        for (let partition = 0; partition < topics.partitionCount(topic)!; partition++) {
          while (!takers.has(memberIds[next]!)) next = (next + 1) % memberIds.length
          assignment.get(memberIds[next]!)!.partitions.push({ topic, partition })
          next = (next + 1) % memberIds.length
        }
      }
      return assignment
    },
  }
}
