// Memory of each of many connections that have asked ApiVersions and Metadata once and now do nothing.
import { setTimeout as delay } from 'node:timers/promises'
import { Connection } from '../../wire/connection.ts'
import { apiVersions, metadata } from '../../wire/requests.ts'
import { firstAcknowledgedRecord } from '../first-record.ts'
import type { Measure } from '../measure.ts'
import { residentBytes } from '../process-usage.ts'

export const connections: Measure = {
  name: 'connections',
  figures: [{ key: 'bytesPerConnection', title: 'memory of each of 5,000 connections', target: 0.6 }],
  run: async (kind, environment) => {
    const { sizes } = environment
    const broker = await environment.start(kind)
    await firstAcknowledgedRecord(broker)
    await delay(sizes.settleMs)
    const before = residentBytes(broker.pid)
    using open = new DisposableStack()
    for (let i = 0; i < sizes.connections; i++) {
      const connection = open.use(await Connection.open(broker))
      await apiVersions(connection)
      await metadata(connection, [])
    }
    await delay(sizes.settleMs)
    return { bytesPerConnection: (residentBytes(broker.pid) - before) / sizes.connections }
  },
}
