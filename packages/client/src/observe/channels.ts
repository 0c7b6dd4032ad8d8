/** What clients tell on `node:diagnostics_channel`. Nothing is paid while nobody listens: ask `hasSubscribers` before making a message. */
import { channel, type Channel } from 'node:diagnostics_channel'
import type { TopicPartition } from '../record.ts'

/** `millrace:client:request`: a request was answered, or not. */
export interface RequestMessage {
  readonly clientId: string | null
  readonly api: string
  /** Kafka's number of the API. */
  readonly apiKey: number
  readonly version: number
  /** Numbers the requests of a connection. */
  readonly correlationId: number
  readonly broker: { readonly host: string; readonly port: number }
  readonly durationMs: number
  /** Of the answer, 0 without one. */
  readonly answerBytes: number
  readonly error: Error | null
}

/** `millrace:client:connection`: a connection was opened, could not be, or is gone. */
export interface ConnectionMessage {
  readonly clientId: string | null
  readonly broker: { readonly host: string; readonly port: number }
  readonly event: 'opened' | 'failed' | 'closed'
  readonly error: Error | null
}

/** `millrace:producer:batch`: a batch was acknowledged, or given up. */
export interface ProducedBatchMessage extends TopicPartition {
  readonly clientId: string | null
  readonly recordsCount: number
  readonly sizeBytes: number
  /** -1n when not known. */
  readonly baseOffset: bigint
  readonly error: Error | null
}

/** `millrace:consumer:batch`: the application was given records. */
export interface ConsumedBatchMessage extends TopicPartition {
  readonly clientId: string | null
  readonly groupId: string | null
  readonly recordsCount: number
  readonly firstOffset: bigint
  readonly lag: bigint
}

/** `millrace:consumer:commit` */
export interface CommitMessage {
  readonly clientId: string | null
  readonly groupId: string
  readonly offsets: readonly (TopicPartition & { readonly offset: bigint })[]
  readonly error: Error | null
}

/** `millrace:consumer:rebalance`: partitions came or went; after the application's listener. */
export interface RebalanceMessage {
  readonly clientId: string | null
  readonly groupId: string
  readonly event: 'assigned' | 'revoked' | 'lost'
  readonly partitions: readonly TopicPartition[]
}

/** `millrace:consumer:heartbeat`: the coordinator has answered a heartbeat. */
export interface HeartbeatMessage {
  readonly clientId: string | null
  readonly groupId: string
  readonly memberId: string
  readonly latencyMs: number
}

export const channels = {
  request: typed<RequestMessage>('millrace:client:request'),
  connection: typed<ConnectionMessage>('millrace:client:connection'),
  producedBatch: typed<ProducedBatchMessage>('millrace:producer:batch'),
  consumedBatch: typed<ConsumedBatchMessage>('millrace:consumer:batch'),
  commit: typed<CommitMessage>('millrace:consumer:commit'),
  rebalance: typed<RebalanceMessage>('millrace:consumer:rebalance'),
  heartbeat: typed<HeartbeatMessage>('millrace:consumer:heartbeat'),
} as const

function typed<Message>(name: string): Channel<Message, Message> {
  return channel(name) as Channel<Message, Message>
}
