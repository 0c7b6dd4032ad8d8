/** A broker in this process, and what tests of consumers do to it. */
import type { TestContext } from 'node:test'
import { connectToBroker } from '@millrace/network'
import { errorName, Produce, RecordBatchBuilder } from '@millrace/protocol'
import { nodeRuntime } from '@millrace/runtime'
import { startBroker, type RunningBroker, type StartBrokerOptions } from 'millrace'
import type { Admin } from '../../admin/admin.ts'
import { Kafka } from '../../kafka.ts'
import type { TopicPartition } from '../../record.ts'

export interface Consuming {
  readonly broker: RunningBroker
  readonly kafka: Kafka
  readonly admin: Admin
  /** Writes one batch of records with these values, and returns the offset of the first. */
  readonly append: (partition: TopicPartition, values: readonly string[], options?: AppendOptions) => Promise<bigint>
  /** As `append`, a batch as it is. */
  readonly appendBatch: (partition: TopicPartition, batch: Uint8Array) => Promise<bigint>
}

export interface AppendOptions {
  readonly compression?: number
  readonly timestamp?: bigint
  readonly key?: string
}

export async function consuming(context: TestContext, options: StartBrokerOptions = {}): Promise<Consuming> {
  const broker = await startBroker(options)
  context.after(() => broker.close())
  const kafka = new Kafka({ brokers: broker.bootstrapServers, defaultApiTimeoutMs: 10_000 })
  const admin = kafka.admin()
  context.after(() => admin.close())
  const { transport, clock } = nodeRuntime()
  const connection = await connectToBroker(transport, broker.address, { clock, clientId: 'test' })
  context.after(() => connection[Symbol.asyncDispose]())

  const appendBatch = async ({ topic, partition }: TopicPartition, records: Uint8Array): Promise<bigint> => {
    const answer = await connection.send(
      Produce,
      { acks: -1, timeoutMs: 10_000, topicData: [{ name: topic, partitionData: [{ index: partition, records }] }] },
      { version: 9 },
    )
    const { errorCode, baseOffset } = answer.responses[0]!.partitionResponses[0]!
    if (errorCode !== 0) throw new Error(`append: ${errorName(errorCode)}`)
    return baseOffset
  }
  const append: Consuming['append'] = (
    partition,
    values,
    { compression = 0, timestamp = 1_767_225_600_000n, key } = {},
  ) => {
    const builder = new RecordBatchBuilder({ compression })
    for (const value of values)
      builder.append({ timestamp, key: key === undefined ? null : Buffer.from(key), value: Buffer.from(value) })
    return appendBatch(partition, builder.build())
  }
  return { broker, kafka, admin, append, appendBatch }
}
