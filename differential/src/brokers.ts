/** Apache Kafka and our broker, started side by side with the same small settings. */
import { join } from 'node:path'
import { apacheKafka, millrace, type RunningBroker } from '@millrace/interop/brokers'

/**
 * One partition of each internal topic, so that all records have an order; nothing waits or expires that a scenario does not
 * make wait or expire. One thread of each kind in Kafka: requests are then decided in the order in which they were sent.
 */
const properties = {
  'node.id': '1',
  'num.network.threads': '1',
  'num.io.threads': '1',
  'group.coordinator.threads': '1',
  'group.coordinator.append.linger.ms': '0',
  'share.coordinator.threads': '1',
  'share.coordinator.append.linger.ms': '0',
  'auto.create.topics.enable': 'false',
  'default.replication.factor': '1',
  'offsets.topic.num.partitions': '1',
  'offsets.topic.replication.factor': '1',
  'transaction.state.log.num.partitions': '1',
  'transaction.state.log.replication.factor': '1',
  'transaction.state.log.min.isr': '1',
  'share.coordinator.state.topic.num.partitions': '1',
  'share.coordinator.state.topic.replication.factor': '1',
  'share.coordinator.state.topic.min.isr': '1',
  'group.initial.rebalance.delay.ms': '0',
  'group.min.session.timeout.ms': '100',
  'group.max.size': '5',
  'group.consumer.assignment.interval.ms': '0',
  'group.share.assignment.interval.ms': '0',
  'transaction.abort.timed.out.transaction.cleanup.interval.ms': '200',
}

export interface Brokers extends AsyncDisposable {
  readonly kafka: RunningBroker
  readonly ours: RunningBroker
  /** Stops both as an administrator does, and starts them on the same ports and data. */
  restart(): Promise<void>
}

export async function startBrokers(directory: string): Promise<Brokers> {
  await apacheKafka.prepare()
  const start = (ports: { kafka?: number; ours?: number } = {}) =>
    Promise.all([
      apacheKafka.start({ dataDirectory: join(directory, 'kafka'), properties, ...portOf(ports.kafka) }),
      millrace.start({ dataDirectory: join(directory, 'ours'), properties, ...portOf(ports.ours) }),
    ])
  let [kafka, ours] = await start()
  const kill = async () => {
    await Promise.all([kafka.kill(), ours.kill()])
  }
  const ready = async () => {
    try {
      await Promise.all([kafka.ready(), ours.ready()])
    } catch (error) {
      await kill()
      throw error
    }
  }
  await ready()
  return {
    kafka,
    ours,
    async restart() {
      await Promise.all([kafka.stop(), ours.stop()])
      ;[kafka, ours] = await start({ kafka: kafka.port, ours: ours.port })
      await ready()
    },
    [Symbol.asyncDispose]: kill,
  }
}

function portOf(port: number | undefined): { port?: number } {
  return port === undefined ? {} : { port }
}
