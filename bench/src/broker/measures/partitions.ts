// 10,000 partitions: time until all are in Metadata, memory, and restarts with a record in each.
import { setTimeout as delay } from 'node:timers/promises'
import { firstAcknowledgedRecord, startTimeMs } from '../first-record.ts'
import { createManyPartitions, produceToAll } from '../many-partitions.ts'
import type { Measure } from '../measure.ts'
import { cpuSeconds, residentBytes } from '../process-usage.ts'

export const partitions: Measure = {
  name: 'partitions',
  figures: [
    { key: 'createMs', title: '10,000 partitions: time until all are in Metadata', target: 1 / 5 },
    { key: 'createCpu', title: '10,000 partitions: CPU of that', target: null },
    { key: 'memory', title: '10,000 partitions: memory they add', target: 0.3 },
    { key: 'killedMs', title: 'restart with 10,000 partitions after SIGKILL', target: 1 / 5 },
    { key: 'stopMs', title: 'stop with 10,000 partitions', target: null },
    { key: 'stoppedMs', title: 'restart with 10,000 partitions after SIGTERM', target: 1 / 5 },
  ],
  run: async (kind, environment) => {
    const { sizes } = environment
    const broker = await environment.start(kind)
    await firstAcknowledgedRecord(broker)
    await delay(sizes.settleMs)
    const memoryBefore = residentBytes(broker.pid)
    const cpuBefore = cpuSeconds(broker.pid)
    const startedMs = performance.now()
    await createManyPartitions(broker, sizes)
    const createMs = performance.now() - startedMs
    const createCpu = cpuSeconds(broker.pid) - cpuBefore
    await delay(sizes.settleMs)
    const memory = residentBytes(broker.pid) - memoryBefore

    await produceToAll(broker, sizes)
    await broker.kill()
    const afterKill = await environment.start(kind)
    const killedMs = await startTimeMs(afterKill, 'many-0')
    const stoppingMs = performance.now()
    await afterKill.stop()
    const stopMs = performance.now() - stoppingMs
    const stoppedMs = await startTimeMs(await environment.start(kind), 'many-0')
    return { createMs, createCpu, memory, killedMs, stopMs, stoppedMs }
  },
}
