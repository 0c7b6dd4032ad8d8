// The first record that a broker acknowledges: the end of its start, as a client sees it.
import { setTimeout as delay } from 'node:timers/promises'
import type { RunningBroker } from '@millrace/interop/brokers'
import { Connection, type Endpoint } from '../wire/connection.ts'
import { singleRecordBatch } from '../wire/record-batch.ts'
import { metadata, produce } from '../wire/requests.ts'

const retryMs = 1

/** Connects, creates the topic by asking for it, and produces one record with acks=all; repeats until it is acknowledged. */
export async function firstAcknowledgedRecord(endpoint: Endpoint, topic = 'first', timeoutMs = 240_000): Promise<void> {
  const records = singleRecordBatch(Buffer.from('first'))
  const deadline = performance.now() + timeoutMs
  for (;;) {
    try {
      using connection = await Connection.open(endpoint)
      for (;;) {
        const [listing] = await metadata(connection, [topic])
        if (listing!.errorCode === 0 && listing!.leaders[0]! >= 0) {
          const [errorCode] = await produce(connection, [{ topic, partition: 0, records }])
          if (errorCode === 0) return
        }
        if (performance.now() > deadline) throw new Error(`no record of ${topic} was acknowledged in ${timeoutMs} ms`)
        await delay(retryMs)
      }
    } catch (error) {
      if (performance.now() > deadline) throw error
      await delay(retryMs)
    }
  }
}

/** Milliseconds from the start of the process to its first acknowledged record. */
export async function startTimeMs(broker: RunningBroker, topic?: string): Promise<number> {
  await firstAcknowledgedRecord(broker, topic)
  return performance.now() - broker.startedAtMs
}
