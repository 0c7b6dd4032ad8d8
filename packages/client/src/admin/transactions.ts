/** Transactions and the producers behind them: who writes, what is open, how to end it by force. */
import {
  DescribeProducers,
  DescribeTransactions,
  ErrorCode,
  InitProducerId,
  KafkaError,
  ListTransactions,
  WriteTxnMarkers,
} from '@millrace/protocol'
import type { Response } from '@millrace/protocol'
import { partitionName } from '../groups/partition-names.ts'
import type { TopicPartition } from '../record.ts'
import { offsetOrNull, timeOrNull } from './absent.ts'
import { byPartition, byTopic } from './by-topic.ts'
import type { Told } from './groups.ts'
import { everyBroker } from './every-broker.ts'
import { unsupported } from './kafka-versions.ts'
import type { EachOf, Outcome, ListOf } from './partial-failure.ts'
import { matched, outcome, unanswered, type AdminRequests, type CallOptions } from './requests.ts'
import { toBroker, toLeader, toTransactionCoordinator, type Routing } from './routing.ts'
import { sideBySide } from './side-by-side.ts'

export type TransactionState =
  | 'Empty'
  | 'Ongoing'
  | 'PrepareCommit'
  | 'PrepareAbort'
  | 'CompleteCommit'
  | 'CompleteAbort'
  | 'Dead'
  | 'PrepareEpochFence'

export interface ProducerState {
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly lastSequence: number
  /** Milliseconds since the epoch. */
  readonly lastTimestamp: number
  /** Of the transaction it last took part in; null when it never did. */
  readonly coordinatorEpoch: number | null
  /** Where its open transaction begins; null when none is open. */
  readonly currentTransactionStartOffset: bigint | null
}

export interface PartitionProducers extends TopicPartition {
  readonly activeProducers: readonly ProducerState[]
}

export interface TransactionDescription {
  readonly transactionalId: string
  readonly coordinatorId: number
  readonly state: Told<TransactionState>
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly timeoutMs: number
  /** Milliseconds since the epoch; null when no transaction is open. */
  readonly startedAt: number | null
  /** Those that it has written to. */
  readonly partitions: readonly TopicPartition[]
}

export interface TransactionListing {
  readonly transactionalId: string
  readonly producerId: bigint
  readonly state: Told<TransactionState>
  readonly coordinatorId: number
}

export interface ListTransactionsOptions extends CallOptions {
  readonly states?: readonly TransactionState[]
  readonly producerIds?: readonly bigint[]
  /** Open for longer than so many ms (since Kafka 3.8). */
  readonly runningLongerThanMs?: number
  /** A regular expression of RE2 that the whole transactional id matches (since Kafka 4.1). */
  readonly transactionalIdPattern?: string
}

/** As `describeProducers` tells of a hanging transaction. */
export interface TransactionToAbort extends TopicPartition {
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly coordinatorEpoch: number
}

export interface FencedProducer {
  readonly transactionalId: string
  readonly producerId: bigint
  readonly producerEpoch: number
}

export interface TransactionAdmin {
  /** As the leader of each partition knows them, or the broker `brokerId`. Since Kafka 2.8. */
  describeProducers<Partitions extends readonly unknown[]>(
    partitions: ListOf<Partitions, TopicPartition>,
    options?: CallOptions & { readonly brokerId?: number },
  ): Promise<EachOf<Partitions, PartitionProducers>>
  /** Since Kafka 3.0. */
  describeTransactions<Ids extends readonly unknown[]>(
    transactionalIds: ListOf<Ids, string>,
    options?: CallOptions,
  ): Promise<EachOf<Ids, TransactionDescription>>
  /** Of all brokers. Since Kafka 3.0. */
  listTransactions(options?: ListTransactionsOptions): Promise<readonly TransactionListing[]>
  /** Ends a transaction that hangs in one partition because its coordinator forgot it. Its records there count as aborted. */
  abortTransaction(transaction: TransactionToAbort, options?: CallOptions): Promise<void>
  /** Shuts out the producers that use these ids, and aborts what they have open. */
  fenceProducers<Ids extends readonly unknown[]>(
    transactionalIds: ListOf<Ids, string>,
    options?: CallOptions,
  ): Promise<EachOf<Ids, FencedProducer>>
  /** Aborts the open transaction of an id, and shuts out its producer. */
  forceTerminateTransaction(transactionalId: string, options?: CallOptions): Promise<void>
}

const aboutId = (transactionalId: string): string => `transactional id ${transactionalId}`

export function transactionAdmin(requests: AdminRequests): TransactionAdmin {
  const admin: TransactionAdmin = {
    describeProducers: (partitions, { brokerId, ...options } = {}) =>
      requests.each(
        {
          operation: 'describeProducers',
          routing: brokerId === undefined ? toWriter : toBroker<TopicPartition>(() => brokerId),
          retried: new Set([ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]),
          ask: async ({ send }, destination, asked: readonly TopicPartition[]) => {
            const { topics } = await send(destination, DescribeProducers, {
              topics: byTopic(asked).map(({ topic, things }) => ({
                name: topic,
                partitionIndexes: things.map(({ partition }) => partition),
              })),
            })
            const answers = byPartition(topics)
            return matched(asked, answers, {
              keyOf: partitionName,
              about: partitionName,
              outcome: (result, { topic, partition }) =>
                outcome(partitionName({ topic, partition }), result, () => ({
                  topic,
                  partition,
                  activeProducers: result.activeProducers.map(producerState),
                })),
            })
          },
        },
        partitions,
        options,
      ),
    describeTransactions: (transactionalIds, options = {}) =>
      requests.each(
        {
          operation: 'describeTransactions',
          routing: toTransactionCoordinator,
          ask: async ({ send, signal }, destination, asked: readonly string[]) => {
            const { id } = await requests.cluster.coordinator('transaction', asked[0]!, signal)
            const { transactionStates } = await send(destination, DescribeTransactions, {
              transactionalIds: [...new Set(asked)],
            })
            return matched(
              asked,
              transactionStates.map((state) => [state.transactionalId, state] as const),
              {
                keyOf: (transactionalId) => transactionalId,
                about: aboutId,
                outcome: (state) => outcome(aboutId(state.transactionalId), state, () => transaction(state, id)),
              },
            )
          },
        },
        transactionalIds,
        options,
      ),
    listTransactions: async (options = {}) => {
      const brokerIds = await everyBroker(requests, 'listTransactions', options)
      const listings = await requests.each(
        {
          operation: 'listTransactions',
          routing: toBroker((brokerId: number) => brokerId),
          retried: new Set([ErrorCode.COORDINATOR_LOAD_IN_PROGRESS]),
          ask: async ({ send }, destination, asked: readonly number[]) => {
            const answer = await send(destination, ListTransactions, (version) => filters(options, version))
            return asked.map((brokerId) =>
              outcome(`transactions of broker ${brokerId}`, answer, () =>
                answer.transactionStates.map(({ transactionalId, producerId, transactionState }) => ({
                  transactionalId,
                  producerId,
                  state: transactionState,
                  coordinatorId: brokerId,
                })),
              ),
            )
          },
        },
        brokerIds,
        options,
      )
      return listings.flat()
    },
    abortTransaction: async (toAbort, options = {}) => {
      await requests.each(
        {
          operation: 'abortTransaction',
          routing: toWriter,
          ask: async ({ send }, destination, [asked]: readonly TransactionToAbort[]) => {
            const { topic, partition, producerId, producerEpoch, coordinatorEpoch } = asked!
            const { markers } = await send(destination, WriteTxnMarkers, {
              markers: [
                {
                  producerId,
                  producerEpoch,
                  coordinatorEpoch,
                  transactionResult: false,
                  topics: [{ name: topic, partitionIndexes: [partition] }],
                },
              ],
            })
            const about = `the transaction of producer ${producerId} in ${partitionName(asked!)}`
            const result = markers
              .find((marker) => marker.producerId === producerId)
              ?.topics.find(({ name }) => name === topic)
              ?.partitions.find(({ partitionIndex }) => partitionIndex === partition)
            return [result === undefined ? unanswered(about) : outcome(about, result, () => null)]
          },
        },
        [toAbort],
        options,
      )
    },
    fenceProducers: (transactionalIds, options = {}) =>
      requests.each(
        {
          operation: 'fenceProducers',
          routing: toTransactionCoordinator,
          retried: new Set([ErrorCode.CONCURRENT_TRANSACTIONS]),
          ask: async ({ send }, _, asked: readonly string[]) =>
            sideBySide(asked, async (transactionalId): Promise<Outcome<FencedProducer>> => {
              try {
                const answer = await send({ coordinatorOf: transactionalId, kind: 'transaction' }, InitProducerId, {
                  transactionalId,
                  transactionTimeoutMs: options.timeoutMs ?? requests.cluster.settings.requestTimeoutMs,
                })
                const { producerId, producerEpoch } = answer
                return outcome(aboutId(transactionalId), answer, () => ({ transactionalId, producerId, producerEpoch }))
              } catch (error) {
                // An answer that got lost must not have the others fenced twice.
                if (error instanceof KafkaError) return { error }
                throw error
              }
            }),
        },
        transactionalIds,
        options,
      ),
    forceTerminateTransaction: async (transactionalId, options = {}) => {
      await admin.fenceProducers([transactionalId], options)
    },
  }
  return admin
}

/** Where a partition is written. What that broker says of disks and epochs is no reason to ask another. */
const toWriter: Routing<TopicPartition> = {
  ...toLeader,
  moved: new Set([
    ErrorCode.NOT_LEADER_OR_FOLLOWER,
    ErrorCode.LEADER_NOT_AVAILABLE,
    ErrorCode.REPLICA_NOT_AVAILABLE,
    ErrorCode.BROKER_NOT_AVAILABLE,
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  ]),
}

function filters(options: ListTransactionsOptions, version: number) {
  const { states = [], producerIds = [], runningLongerThanMs, transactionalIdPattern } = options
  if (runningLongerThanMs !== undefined && version < 1)
    throw unsupported('listTransactions with runningLongerThanMs', '3.8')
  if (transactionalIdPattern !== undefined && version < 2)
    throw unsupported('listTransactions with transactionalIdPattern', '4.1')
  return {
    stateFilters: states,
    producerIdFilters: producerIds,
    durationFilter: BigInt(runningLongerThanMs ?? -1),
    // An empty pattern would match nothing but an empty id.
    transactionalIdPattern:
      transactionalIdPattern === undefined || transactionalIdPattern === '' ? null : transactionalIdPattern,
  }
}

function producerState(
  producer: Response<typeof DescribeProducers>['topics'][number]['partitions'][number]['activeProducers'][number],
): ProducerState {
  return {
    producerId: producer.producerId,
    producerEpoch: producer.producerEpoch,
    lastSequence: producer.lastSequence,
    lastTimestamp: Number(producer.lastTimestamp),
    coordinatorEpoch: producer.coordinatorEpoch < 0 ? null : producer.coordinatorEpoch,
    currentTransactionStartOffset: offsetOrNull(producer.currentTxnStartOffset),
  }
}

function transaction(
  state: Response<typeof DescribeTransactions>['transactionStates'][number],
  coordinatorId: number,
): TransactionDescription {
  return {
    transactionalId: state.transactionalId,
    coordinatorId,
    state: state.transactionState,
    producerId: state.producerId,
    producerEpoch: state.producerEpoch,
    timeoutMs: state.transactionTimeoutMs,
    startedAt: timeOrNull(state.transactionStartTimeMs),
    partitions: state.topics.flatMap(({ topic, partitions }) => partitions.map((partition) => ({ topic, partition }))),
  }
}
