/** Short times, so that the run is short: heartbeats, sessions, lookouts. Few partitions of the coordinators' topics: all files are dumped. */
export const brokerProperties = {
  'offsets.topic.num.partitions': '5',
  'transaction.state.log.num.partitions': '5',
  'share.coordinator.state.topic.num.partitions': '5',
  'group.initial.rebalance.delay.ms': '0',
  'group.min.session.timeout.ms': '1000',
  'group.consumer.min.session.timeout.ms': '1000',
  'group.consumer.session.timeout.ms': '3000',
  'group.consumer.min.heartbeat.interval.ms': '200',
  'group.consumer.heartbeat.interval.ms': '300',
  'group.share.min.session.timeout.ms': '1000',
  'group.share.session.timeout.ms': '3000',
  'group.share.min.heartbeat.interval.ms': '200',
  'group.share.heartbeat.interval.ms': '300',
  'group.share.min.record.lock.duration.ms': '1000',
  'transaction.abort.timed.out.transaction.cleanup.interval.ms': '500',
}
