// What was written must be there after a stop, and after a kill.
import { brokerProperties } from '../broker-properties.ts'
import type { BrokerKind, RunningBroker } from '../brokers/broker.ts'
import { java } from '../clients/java.ts'
import { expectEqual, expectRecords, expectTrue } from '../expect.ts'
import { eventually } from './eventually.ts'
import type { Observer } from './observer.ts'
import { fromAnswer, type Context, type OpenClient } from './context.ts'
import { checkDumpLog } from './kafka-tools/dump-log.ts'

interface RestartOptions {
  readonly kind: BrokerKind
  readonly clients: readonly OpenClient[]
  readonly observer: Observer
  readonly usesTools: boolean
}

/** Clients that read fast, in order of preference. */
const readers = ['franz-go', 'java', 'kafka-python', 'confluent-kafka', 'sarama', 'kcat']

export async function checkRestarts(
  context: Context,
  { kind, clients, observer, usesTools }: RestartOptions,
): Promise<RunningBroker> {
  const { report, broker } = context
  const reader = readers
    .map((name) => clients.find(({ client }) => client.name === name))
    .find((open) => open !== undefined)
  let running = broker
  const restart = async () => {
    running = await kind.start({ dataDirectory: broker.dataDirectory, port: broker.port, properties: brokerProperties })
    await running.ready()
  }
  const readAll = async (open: OpenClient) => {
    const session = open.client.open(broker.bootstrap)
    try {
      let count = 0
      for (const { topic, partition, expected } of context.written) {
        const job = { topic, partition, offset: -2, count: expected.records.length, timeoutMs: 20_000 }
        expectRecords(fromAnswer(await session.call('consume', job)), expected, open.client.reads!.limits, topic)
        count += expected.records.length
      }
      return `${count} records of ${context.written.length} topics`
    } finally {
      await session[Symbol.asyncDispose]()
    }
  }

  const committed = await observer.allCommitted()
  const checkCommitted = async (when: string) => {
    if (!clients.some(({ client }) => client === java)) return
    await report.check(java, `committed offsets of all groups after a ${when}`, async () => {
      const count = committed.length
      expectTrue(count > 0, 'no groups')
      await eventually(async () => expectEqual(await observer.allCommitted(), committed, 'committed offsets'), 20_000)
      return `${count} groups`
    })
  }

  await broker.stop()
  if (usesTools) await checkDumpLog(context, { when: 'after a stop', indexes: true })
  await restart()
  await checkCommitted('restart')
  if (reader !== undefined)
    await report.check(reader.client, 'consume everything after a restart', () => readAll(reader))
  await running.kill()
  await restart()
  await checkCommitted('kill')
  if (reader !== undefined) await report.check(reader.client, 'consume everything after a kill', () => readAll(reader))
  return running
}
