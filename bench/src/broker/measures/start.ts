// Process start → first acknowledged record of an auto-created topic.
import type { Measure } from '../measure.ts'
import { cpuSeconds } from '../process-usage.ts'
import { startTimeMs } from '../first-record.ts'

const title = 'start → first acknowledged record'

export const startInstalled: Measure = {
  name: 'start',
  figures: [
    { key: 'startMs', title: `${title}, installed product`, target: 1 / 10 },
    { key: 'startCpu', title: `${title}, installed product: CPU`, target: null },
  ],
  run: async (kind, environment) => {
    const broker = await environment.start(kind)
    const startMs = await startTimeMs(broker)
    return { startMs, startCpu: cpuSeconds(broker.pid) }
  },
}

/** npm's own time counts; its CPU is another process's. */
export const startByNpm: Measure = {
  name: 'start-npm',
  figures: [{ key: 'startMs', title: `${title}, \`npm start\` from the sources`, target: 1 / 4 }],
  run: async (kind, environment) => ({ startMs: await startTimeMs(await environment.start(kind)) }),
}
