/** What the log says while a loop waits for what may never come. */
import assert from 'node:assert/strict'
import { createServer, type AddressInfo } from 'node:net'
import { test } from 'node:test'
import { startBroker } from 'millrace'
import { silentLogger, type LogFields, type Logger } from '@millrace/runtime'
import { Kafka } from '../kafka.ts'

/** Reads `orders` until the log has a warning like `wanted`, and gives those. */
async function warningsOf(brokers: string, wanted: RegExp): Promise<readonly string[]> {
  const warnings: string[] = []
  const stop = new AbortController()
  const warn = (_message: string, fields?: LogFields): void => {
    const { message } = (fields as { readonly error: Error }).error
    warnings.push(message)
    if (wanted.test(message)) stop.abort()
  }
  const logger: Logger = { ...silentLogger, warn, child: () => logger }
  await using consumer = new Kafka({ brokers, logger, retryBackoffMs: 1, retryBackoffMaxMs: 1 }).consumer({
    groupId: 'g',
    topics: ['orders'],
  })
  for await (const record of consumer.records({ signal: stop.signal })) void record
  return warnings.filter((message) => wanted.test(message))
}

test('that nobody listens at the address is told once, with what to do', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  const told = await warningsOf(`127.0.0.1:${port}`, /connection refused: nothing listens there\. Check/)
  assert.equal(told.length, 1)
})

test('that a topic is missing is told once, with what to do', async () => {
  await using broker = await startBroker({ configs: { 'auto.create.topics.enable': false } })
  const told = await warningsOf(broker.bootstrapServers, /topic orders: the brokers do not know it; create it first/)
  assert.equal(told.length, 1)
})
