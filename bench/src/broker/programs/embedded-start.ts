// Starts a broker in this process twice and prints how many ms the second took to its first acknowledged record.
import { startBroker } from 'millrace'
import { firstAcknowledgedRecord } from '../first-record.ts'

async function startOnce(): Promise<number> {
  const startedMs = performance.now()
  await using broker = await startBroker()
  await firstAcknowledgedRecord(broker.address)
  return performance.now() - startedMs
}

await startOnce()
console.log(await startOnce())
process.exit(0)
