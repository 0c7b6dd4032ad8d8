// The second `startBroker()` in a warm process, against the start of Apache Kafka's process.
import { join } from 'node:path'
import { runToSuccess } from '@millrace/interop/brokers'
import { startTimeMs } from '../first-record.ts'
import type { Measure } from '../measure.ts'

export const embedded: Measure = {
  name: 'embedded',
  figures: [{ key: 'startMs', title: 'start → first acknowledged record, second `startBroker()`', target: 1 / 50 }],
  run: async (kind, environment) => {
    if (kind.name === 'apache') return { startMs: await startTimeMs(await environment.start(kind)) }
    const program = join(import.meta.dirname, '..', 'programs', 'embedded-start.ts')
    const output = await runToSuccess(process.execPath, ['--conditions=source', program])
    return { startMs: Number(output) }
  },
}
