/** What KafkaJS's events carry, by the names under which its programs import them. */
import type { TopicOffsets } from './producer/transaction.ts'

export interface InstrumentationEvent<T> {
  /** A number that grows; KafkaJS's types call it a text. */
  readonly id: string
  readonly type: string
  readonly timestamp: number
  readonly payload: T
}

export type ConnectEvent = InstrumentationEvent<null>
export type DisconnectEvent = InstrumentationEvent<null>

interface RequestTimeoutPayload {
  readonly apiKey: number
  readonly apiName: string
  readonly apiVersion: number
  readonly broker: string
  readonly clientId: string
  readonly correlationId: number
  readonly createdAt: number
  /** 0: the client does not make requests wait. */
  readonly pendingDuration: number
  readonly sentAt: number
}

export type RequestEvent = InstrumentationEvent<
  RequestTimeoutPayload & {
    readonly duration: number
    /** Bytes of the answer. */
    readonly size: number
  }
>
export type RequestTimeoutEvent = InstrumentationEvent<RequestTimeoutPayload>
/** Never emitted. */
export type RequestQueueSizeEvent = InstrumentationEvent<{
  readonly broker: string
  readonly clientId: string
  readonly queueSize: number
}>

export type ConsumerHeartbeatEvent = InstrumentationEvent<{
  readonly groupId: string
  readonly memberId: string
  readonly groupGenerationId: number
}>

export type ConsumerCommitOffsetsEvent = InstrumentationEvent<{
  readonly groupId: string
  readonly memberId: string
  readonly groupGenerationId: number
  readonly topics: TopicOffsets[]
}>

/** Partitions by topic. */
export interface IMemberAssignment {
  [topic: string]: number[]
}

export type ConsumerGroupJoinEvent = InstrumentationEvent<{
  readonly duration: number
  readonly groupId: string
  readonly isLeader: boolean
  /** Empty when it is another member, which is not told here. */
  readonly leaderId: string
  readonly groupProtocol: string
  readonly memberId: string
  readonly memberAssignment: IMemberAssignment
}>

export type ConsumerFetchStartEvent = InstrumentationEvent<{ readonly nodeId: number }>

export type ConsumerFetchEvent = InstrumentationEvent<{
  readonly numberOfBatches: number
  readonly duration: number
  readonly nodeId: number
}>

interface BatchPayload {
  readonly topic: string
  readonly partition: number
  readonly highWatermark: string
  readonly offsetLag: string
  readonly offsetLagLow: string
  readonly batchSize: number
  readonly firstOffset: string
  readonly lastOffset: string
}

export type ConsumerStartBatchProcessEvent = InstrumentationEvent<BatchPayload>
export type ConsumerEndBatchProcessEvent = InstrumentationEvent<BatchPayload & { readonly duration: number }>

export type ConsumerCrashEvent = InstrumentationEvent<{
  readonly error: Error
  readonly groupId: string
  readonly restart: boolean
}>

export type ConsumerRebalancingEvent = InstrumentationEvent<{ readonly groupId: string; readonly memberId: string }>

/** Never emitted. The name is spelled as KafkaJS spells it. */
export type ConsumerReceivedUnsubcribedTopicsEvent = InstrumentationEvent<{
  readonly groupId: string
  readonly generationId: number
  readonly memberId: string
  readonly assignedTopics: string[]
  readonly topicsSubscribed: string[]
  readonly topicsNotSubscribed: string[]
}>

/** By the end of their names, which for all but the consumer's own are the same in all clients. */
interface EventsByEnding {
  connect: ConnectEvent
  disconnect: DisconnectEvent
  'network.request': RequestEvent
  'network.request_timeout': RequestTimeoutEvent
  'network.request_queue_size': RequestQueueSizeEvent
  heartbeat: ConsumerHeartbeatEvent
  commit_offsets: ConsumerCommitOffsetsEvent
  group_join: ConsumerGroupJoinEvent
  fetch_start: ConsumerFetchStartEvent
  fetch: ConsumerFetchEvent
  start_batch_process: ConsumerStartBatchProcessEvent
  end_batch_process: ConsumerEndBatchProcessEvent
  stop: InstrumentationEvent<null>
  crash: ConsumerCrashEvent
  rebalancing: ConsumerRebalancingEvent
  received_unsubscribed_topics: ConsumerReceivedUnsubcribedTopicsEvent
}

type EventNamed<Name> = Name extends `${string}.${infer Ending extends keyof EventsByEnding}`
  ? EventsByEnding[Ending]
  : never

// oxlint-disable-next-line typescript/no-unused-vars -- KafkaJS's type has a parameter, which its programs give.
export type RemoveInstrumentationEventListener<EventName = string> = () => void

/** `on` of each client. A listener for several events at a time gets any of them. */
export interface Listening<Names extends Readonly<Record<string, string>>> {
  <Name extends Names[keyof Names]>(
    eventName: Name,
    listener: (event: EventNamed<Name>) => void | Promise<void>,
  ): RemoveInstrumentationEventListener<Name>
  (
    eventName: Names[keyof Names],
    // oxlint-disable-next-line typescript/no-explicit-any -- payloads differ, and programs read their fields without a question.
    listener: (event: InstrumentationEvent<any>) => void | Promise<void>,
  ): RemoveInstrumentationEventListener
}
