/** An admin, and a broker in this process for it. */
import type { TestContext } from 'node:test'
import { startBroker, type RunningBroker, type StartBrokerOptions } from 'millrace'
import { Kafka } from '../../kafka.ts'
import type { Admin } from '../admin.ts'

export async function adminOf(
  context: TestContext,
  options: StartBrokerOptions = {},
): Promise<{ readonly admin: Admin; readonly broker: RunningBroker; readonly kafka: Kafka }> {
  const broker = await startBroker(options)
  context.after(() => broker.close())
  const kafka = new Kafka({ brokers: broker.bootstrapServers, defaultApiTimeoutMs: 10_000 })
  const admin = kafka.admin()
  context.after(() => admin.close())
  return { admin, broker, kafka }
}
