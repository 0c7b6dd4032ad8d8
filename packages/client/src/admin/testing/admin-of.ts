/** An admin, a broker in this process for it, and a way to do there what admins do not. */
import type { TestContext } from 'node:test'
import {
  ConsumerProtocolAssignment,
  ConsumerProtocolSubscription,
  JoinGroup,
  Produce,
  RecordBatchBuilder,
  SyncGroup,
  Writer,
  type RecordBatchOptions,
} from '@millrace/protocol'
import { startBroker, type StartBrokerOptions } from 'millrace'
import { ClientContexts } from '../../client-context.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import { clientOptions } from '../../config/client-options.ts'
import { Kafka } from '../../kafka.ts'
import { realWorld } from '../../world.ts'
import type { Admin } from '../admin.ts'

export interface AdminUnderTest {
  readonly admin: Admin
  readonly cluster: Cluster
}

export async function adminOf(context: TestContext, options: StartBrokerOptions = {}): Promise<AdminUnderTest> {
  const broker = await startBroker(options)
  context.after(() => broker.close())
  return adminAt(context, broker.bootstrapServers)
}

export function adminAt(context: TestContext, brokers: string): AdminUnderTest {
  const options = { brokers, clientId: 'admin-test', defaultApiTimeoutMs: 10_000, retryBackoffMs: 10 }
  const admin = new Kafka(options).admin()
  context.after(() => admin.close())
  const { cluster } = new ClientContexts(options, realWorld()).open(clientOptions, {}, 'test')
  context.after(() => cluster[Symbol.asyncDispose]())
  return { admin, cluster }
}

/** Writes a batch of `values`, one after another from `timestamp` on. Resolves with the offset of the first. */
export async function produce(
  cluster: Cluster,
  {
    topic,
    partition,
    values,
    timestamp = Date.now(),
    ...options
  }: RecordBatchOptions & {
    readonly topic: string
    readonly partition: number
    readonly values: readonly string[]
    readonly timestamp?: number
    readonly transactionalId?: string
  },
): Promise<bigint> {
  const { transactionalId = null, ...batch } = options
  const builder = new RecordBatchBuilder(batch)
  for (const [index, value] of values.entries())
    builder.append({ timestamp: BigInt(timestamp + index), value: Buffer.from(value) })
  return cluster.withRetries('produce', async (signal) => {
    const answer = await cluster.send(
      { leaderOf: { topic, partition } },
      Produce,
      {
        transactionalId,
        acks: -1,
        timeoutMs: 10_000,
        topicData: [{ name: topic, partitionData: [{ index: partition, records: builder.build() }] }],
      },
      { signal, maxVersion: 12 },
    )
    const [result] = answer.responses[0]!.partitionResponses
    if (result!.errorCode !== 0) throw new Error(`produce: error ${result!.errorCode}`)
    return result!.baseOffset
  })
}

/** A member of a classic group that is subscribed to `topic` and has been given all of `partitions`. */
export async function joinClassicGroup(
  cluster: Cluster,
  {
    groupId,
    topic,
    partitions,
    groupInstanceId = null,
    protocolType = 'consumer',
  }: {
    readonly groupId: string
    readonly topic: string
    readonly partitions: readonly number[]
    readonly groupInstanceId?: string | null
    readonly protocolType?: string
  },
): Promise<string> {
  const destination = { coordinatorOf: groupId, kind: 'group' } as const
  const metadata = embedded(ConsumerProtocolSubscription, { topics: [topic] })
  const join = (memberId: string) =>
    cluster.withRetries('join', (signal) =>
      cluster.send(
        destination,
        JoinGroup,
        {
          groupId,
          memberId,
          groupInstanceId,
          protocolType,
          sessionTimeoutMs: 30_000,
          rebalanceTimeoutMs: 30_000,
          protocols: [{ name: 'range', metadata }],
        },
        { signal },
      ),
    )
  let joined = await join('')
  if (joined.errorCode === 79) joined = await join(joined.memberId)
  if (joined.errorCode !== 0) throw new Error(`JoinGroup: error ${joined.errorCode}`)
  const { memberId, generationId } = joined
  const assignment = embedded(ConsumerProtocolAssignment, { assignedPartitions: [{ topic, partitions }] })
  const synced = await cluster.send(destination, SyncGroup, {
    groupId,
    memberId,
    groupInstanceId,
    generationId,
    protocolType,
    protocolName: 'range',
    assignments: [{ memberId, assignment }],
  })
  if (synced.errorCode !== 0) throw new Error(`SyncGroup: error ${synced.errorCode}`)
  return memberId
}

const EMBEDDED_VERSION = 1

function embedded<Value>(
  message: { encode(writer: Writer, value: Value, version: number): void },
  value: Value,
): Uint8Array {
  const writer = new Writer()
  writer.int16(EMBEDDED_VERSION)
  message.encode(writer, value, EMBEDDED_VERSION)
  return Buffer.concat(writer.finish())
}
