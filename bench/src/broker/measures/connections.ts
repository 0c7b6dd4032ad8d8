// Memory of each of many connections that have asked ApiVersions and Metadata once and now do nothing.
import { setTimeout as delay } from 'node:timers/promises'
import { Connection, type Endpoint } from '../../wire/connection.ts'
import { apiVersions, metadata } from '../../wire/requests.ts'
import { firstAcknowledgedRecord } from '../first-record.ts'
import type { Measure } from '../measure.ts'
import { residentBytes } from '../process-usage.ts'

async function openMany(endpoint: Endpoint, count: number): Promise<DisposableStack> {
  using open = new DisposableStack()
  for (let i = 0; i < count; i++) {
    const connection = open.use(await Connection.open(endpoint))
    await apiVersions(connection)
    await metadata(connection, [])
  }
  return open.move()
}

export const connections: Measure = {
  name: 'connections',
  figures: [
    { key: 'bytesPerConnection', title: 'memory of each of 5,000 connections', target: 0.6 },
    { key: 'memory', title: 'resident memory with 5,000 connections', target: null },
  ],
  run: async (kind, environment) => {
    const { sizes } = environment
    const broker = await environment.start(kind)
    await firstAcknowledgedRecord(broker)
    // What the first connections cost besides themselves, code and buffers, is not the connections'.
    {
      using _ = await openMany(broker, sizes.connections / 10)
    }
    await delay(sizes.settleMs)
    const before = residentBytes(broker.pid)
    using _ = await openMany(broker, sizes.connections)
    await delay(sizes.settleMs)
    const memory = residentBytes(broker.pid)
    return { bytesPerConnection: (memory - before) / sizes.connections, memory }
  },
}
