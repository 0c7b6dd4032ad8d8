// Restarts with a large log: first after SIGKILL, while there is something to recover, then after SIGTERM.
import { Connection } from '../../wire/connection.ts'
import { createTopics } from '../../wire/requests.ts'
import { startTimeMs } from '../first-record.ts'
import type { Measure } from '../measure.ts'
import { produceLoad, rdkafkaPerformance } from '../rdkafka-performance.ts'

const topic = 'big-log'
const partitions = 4
const recordSize = 1024

export const bigLog: Measure = {
  name: 'big-log',
  figures: [
    { key: 'killedMs', title: 'restart with 10 GB of log after SIGKILL', target: 1 / 5 },
    { key: 'stoppedMs', title: 'restart with 10 GB of log after SIGTERM', target: 1 / 5 },
  ],
  prepare: rdkafkaPerformance,
  run: async (kind, environment) => {
    const broker = await environment.start(kind)
    await broker.ready()
    {
      using connection = await Connection.open(broker)
      await createTopics(connection, [{ name: topic, partitions }])
    }
    const records = Math.ceil(environment.sizes.logBytes / recordSize)
    await produceLoad({ bootstrap: broker.bootstrap, topic, partitions, records, recordSize })
    await broker.kill()
    const afterKill = await environment.start(kind)
    const killedMs = await startTimeMs(afterKill, topic)
    await afterKill.stop()
    const stoppedMs = await startTimeMs(await environment.start(kind), topic)
    return { killedMs, stoppedMs }
  },
}
