// Process start → first acknowledged record of an auto-created topic.
import type { Measure } from '../measure.ts'
import { cpuSeconds } from '../process-usage.ts'
import { startTimeMs } from '../first-record.ts'

const measureStart = (name: string, how: string, target: number): Measure => ({
  name,
  figures: [
    { key: 'startMs', title: `start → first acknowledged record, ${how}`, target },
    { key: 'startCpu', title: `CPU of that, ${how}`, target: null },
  ],
  run: async (kind, environment) => {
    const broker = await environment.start(kind)
    const startMs = await startTimeMs(broker)
    return { startMs, startCpu: cpuSeconds(broker.pid) }
  },
})

export const startInstalled = measureStart('start', 'installed product', 1 / 10)
export const startByNpm = measureStart('start-npm', '`npm start` from the sources', 1 / 4)
