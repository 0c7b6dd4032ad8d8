/** How topics are created that nobody created: on first use by a client or by a coordinator. */
import type { BrokerConfig } from '../config/broker-config.ts'
import type { NewTopic } from './create-topics.ts'

/** The request that creates `name` with the broker's defaults, or with what a coordinator needs when it is an internal topic's. */
export function automaticTopic(name: string, config: BrokerConfig): NewTopic {
  switch (name) {
    case '__consumer_offsets':
      return {
        ...withoutAssignments(name),
        numPartitions: config.get('offsets.topic.num.partitions'),
        replicationFactor: config.get('offsets.topic.replication.factor'),
        configs: entries({
          'cleanup.policy': 'compact',
          'compression.type': 'producer',
          'segment.bytes': config.get('offsets.topic.segment.bytes'),
        }),
      }
    case '__transaction_state':
      return {
        ...withoutAssignments(name),
        numPartitions: config.get('transaction.state.log.num.partitions'),
        replicationFactor: config.get('transaction.state.log.replication.factor'),
        configs: entries({
          'unclean.leader.election.enable': 'false',
          'compression.type': 'uncompressed',
          'cleanup.policy': 'compact',
          'min.insync.replicas': config.get('transaction.state.log.min.isr'),
          'segment.bytes': config.get('transaction.state.log.segment.bytes'),
        }),
      }
    case '__share_group_state':
      return {
        ...withoutAssignments(name),
        numPartitions: config.get('share.coordinator.state.topic.num.partitions'),
        replicationFactor: config.get('share.coordinator.state.topic.replication.factor'),
        configs: entries({
          'cleanup.policy': 'delete',
          'compression.type': 'producer',
          'segment.bytes': config.get('share.coordinator.state.topic.segment.bytes'),
          'min.insync.replicas': config.get('share.coordinator.state.topic.min.isr'),
          'retention.ms': -1,
        }),
      }
    default:
      return { ...withoutAssignments(name), configs: [] }
  }
}

function withoutAssignments(name: string): Omit<NewTopic, 'configs'> {
  return { name, numPartitions: -1, replicationFactor: -1, assignments: [] }
}

function entries(values: Readonly<Record<string, string | number>>): NewTopic['configs'] {
  return Object.entries(values).map(([name, value]) => ({ name, value: String(value) }))
}
