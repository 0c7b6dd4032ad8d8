/**
 * Appends record batches to partitions. acks 0: no answer; 1: written here; -1: on every in-sync replica.
 * Versions 0-2 carry message sets of magic 0 and 1, which are converted. Topic ids from 13 (KIP-516), per-record errors from 8
 * (KIP-467), the current leader from 10 (KIP-951).
 */
import { ErrorCode, KafkaError, Produce, ZERO_UUID, type Request, type ResponseInput } from '@millrace/protocol'
import { RecordValidationError, validateRecords, type ValidatedBatches, type Verification } from '@millrace/storage'
import type { Partition } from '../partitions/partition.ts'
import { handler } from '../server/handler.ts'
import type { RequestContext } from '../server/request-context.ts'
import { isInternalTopic } from '../controller/topic-names.ts'
import { CurrentLeaders } from './current-leaders.ts'
import { checkTransaction, holdsTransaction } from './produce-transactions.ts'

type ProduceRequest = Request<typeof Produce>
type TopicResult = ResponseInput<typeof Produce>['responses'][number]
type PartitionResult = TopicResult['partitionResponses'][number]

/** One partition's part of the request on its way through. */
interface Write {
  readonly partition: Partition
  readonly result: PartitionResult
  batches: ValidatedBatches | null
  /** As in the log's `AppendOptions`. */
  verification: Verification | 'none' | undefined
}

const firstVersionWithTopicIds = 13

/** Kafka's own admin client may write to internal topics (it restores offsets); nobody else. */
const internalTopicsClientId = '__admin_client'

export const produce = handler(Produce, async (request, context) => {
  const { transactionalId } = request
  const isTransactional = request.topicData.some(({ partitionData }) =>
    partitionData.some(({ records }) => holdsTransaction(records)),
  )
  if (isTransactional && transactionalId === null)
    return refuseAll(request, ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, context)
  const responses: TopicResult[] = []
  const writes: Write[] = []
  let validations: Promise<void>[] | null = null

  for (const { name, topicId, partitionData } of request.topicData) {
    const topic = topicNameOf(name, topicId, context)
    const partitionResponses: PartitionResult[] = []
    responses.push({ name, topicId, partitionResponses })
    for (const { index, records } of partitionData) {
      const result: PartitionResult = { index, errorCode: ErrorCode.NONE, baseOffset: -1n }
      partitionResponses.push(result)
      let partition: Partition | null = null
      try {
        partition = accept(request, topic, topicId, index, records, context)
        const write: Write = { partition, result, batches: null, verification: undefined }
        const batches = validate(partition, records!, context)
        if (batches instanceof Promise) {
          const validation = batches.then(
            (validated) => void (write.batches = validated),
            (error: unknown) => fail(result, error, write.partition, context),
          )
          ;(validations ??= []).push(validation)
        } else write.batches = batches
        writes.push(write)
      } catch (error) {
        fail(result, error, partition, context)
      }
    }
  }
  if (validations !== null) await Promise.all(validations)
  if (isTransactional) {
    const refusal = await checkTransaction(transactionalId!, writes, context)
    if (refusal !== ErrorCode.NONE) return refuseAll(request, refusal, context)
  }
  const { written, replicated } = appendAll(writes, request, context)
  context.letNextStart()
  await written
  // Nothing looks at the records any more: other replicas may take their time.
  context.releaseRequest()
  await replicated()

  if (request.acks === 0) return answerNothing(responses, context)
  if (context.version < 10) return { responses, throttleTimeMs: 0 }
  return { responses, throttleTimeMs: 0, nodeEndpoints: nameLeaders(responses, context) }
})

/** The same error for every partition. */
function refuseAll(
  request: ProduceRequest,
  errorCode: number,
  context: RequestContext,
): ResponseInput<typeof Produce> | null {
  const responses = request.topicData.map(({ name, topicId, partitionData }) => ({
    name,
    topicId,
    partitionResponses: partitionData.map(({ index }) => ({ index, errorCode, baseOffset: -1n })),
  }))
  return request.acks === 0 ? answerNothing(responses, context) : { responses, throttleTimeMs: 0 }
}

/** undefined when the request names the topic by an id that is not known here. */
function topicNameOf(
  name: string | undefined,
  topicId: string | undefined,
  { version, broker }: RequestContext,
): string | undefined {
  if (version < firstVersionWithTopicIds) return name
  return broker.metadata.image.topicNameById(topicId ?? ZERO_UUID)
}

/** Says in the results who leads the partitions that this broker does not; returns where these leaders are found. */
function nameLeaders(
  responses: readonly TopicResult[],
  context: RequestContext,
): ReturnType<CurrentLeaders['endpoints']> {
  const leaders = new CurrentLeaders(context)
  for (const { name, topicId, partitionResponses } of responses) {
    for (const result of partitionResponses) {
      if (result.errorCode !== ErrorCode.NOT_LEADER_OR_FOLLOWER) continue
      const leader = leaders.of(topicNameOf(name, topicId, context), result.index)
      if (leader !== null) result.currentLeader = leader
    }
  }
  return leaders.endpoints()
}

/** Finds the partition and checks what can be without the records, in Kafka's order. */
function accept(
  request: ProduceRequest,
  topic: string | undefined,
  topicId: string,
  index: number,
  records: Uint8Array | null,
  context: RequestContext,
): Partition {
  if (topic === undefined) throw new KafkaError(ErrorCode.UNKNOWN_TOPIC_ID, `there is no topic with id ${topicId}`)
  const { metadata, partitions } = context.broker
  if (metadata.image.topics.get(topic)?.partitions[index] === undefined)
    throw new KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `there is no partition ${topic}-${index}`)
  if (records === null)
    throw new KafkaError(ErrorCode.INVALID_RECORD, `the request carries no records for ${topic}-${index}`)
  if (request.acks !== 0 && request.acks !== 1 && request.acks !== -1)
    throw new KafkaError(ErrorCode.INVALID_REQUIRED_ACKS, `acks must be -1, 0 or 1, not ${request.acks}`)
  if (isInternalTopic(topic) && context.clientId !== internalTopicsClientId)
    throw new KafkaError(ErrorCode.INVALID_TOPIC_EXCEPTION, `clients may not write to the internal topic ${topic}`)
  const partition = partitions.find(topic, index)
  // Only while a topic of the same name is being replaced.
  if (topicId !== ZERO_UUID && topicId !== partition.topicId)
    throw new KafkaError(ErrorCode.UNKNOWN_TOPIC_ID, `${topic} has id ${partition.topicId} here, not ${topicId}`)
  partition.logToAppendTo(request.acks)
  return partition
}

function validate(
  partition: Partition,
  records: Uint8Array,
  context: RequestContext,
): ValidatedBatches | Promise<ValidatedBatches> {
  return validateRecords(records, {
    origin: 'client',
    config: partition.log.config,
    nowMs: context.broker.clock.now(),
    apiVersion: context.version,
    maxDecompressedBytes: context.broker.config.get('millrace.batch.max.decompressed.bytes'),
    codecWorker: context.broker.codecWorker,
    partition: partition.name,
  })
}

/** What became of the appends of one request. */
interface Appends {
  /** Resolves when each is written here (and synced if the topic demands it), or has failed: until then the records must stay. */
  readonly written: Promise<void>
  /**
   * To be called after that. Resolves when each is as safe as `acks` asks, or `timeoutMs` is over: its records then stay in the log, only
   * the wait for other replicas ends.
   */
  readonly replicated: () => Promise<void>
}

const nothingToWaitFor = Promise.resolve()

/** Appends all that passed, at once. */
function appendAll(writes: readonly Write[], request: ProduceRequest, context: RequestContext): Appends {
  const { promise, resolve } = Promise.withResolvers<void>()
  const appended: AppendedWrite[] = []
  let unwritten = 0
  for (const { partition, batches, result, verification } of writes) {
    if (batches === null || result.errorCode !== ErrorCode.NONE) continue
    try {
      const { firstOffset, lastOffset, logAppendTimeMs, logStartOffset } = partition.append(
        batches,
        { acks: request.acks, origin: 'client', ...(verification === undefined ? {} : { verification }) },
        (errorCode) => {
          if (errorCode !== ErrorCode.NONE) {
            result.errorCode = errorCode
            result.baseOffset = -1n
          }
          if (--unwritten === 0) resolve()
        },
      )
      unwritten++
      result.baseOffset = firstOffset
      result.logAppendTimeMs = logAppendTimeMs
      result.logStartOffset = logStartOffset
      if (request.acks === -1) appended.push({ partition, result, endOffset: lastOffset + 1n })
    } catch (error) {
      fail(result, error, partition, context)
    }
  }
  return {
    written: unwritten === 0 ? nothingToWaitFor : promise,
    replicated: () => untilReplicated(appended, request.timeoutMs, context),
  }
}

interface AppendedWrite {
  readonly partition: Partition
  readonly result: PartitionResult
  readonly endOffset: bigint
}

function untilReplicated(
  appended: readonly AppendedWrite[],
  timeoutMs: number,
  context: RequestContext,
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  /** With how to wait no longer. */
  const waiting = new Map<PartitionResult, () => void>()
  for (const { partition, result, endOffset } of appended) {
    if (result.errorCode !== ErrorCode.NONE) continue
    const forget = partition.whenReplicated(endOffset, (errorCode) => {
      result.errorCode = errorCode
      if (waiting.delete(result) && waiting.size === 0) resolve()
    })
    if (forget !== null) waiting.set(result, forget)
  }
  if (waiting.size === 0) return nothingToWaitFor
  const timer = context.broker.clock.after(Math.max(0, timeoutMs), () => {
    for (const [result, forget] of waiting) {
      forget()
      result.errorCode = ErrorCode.REQUEST_TIMED_OUT
    }
    resolve()
  })
  return promise.finally(() => timer.cancel())
}

/** These are answered without a log start offset, as by Kafka. */
const errorsWithoutLogStart: ReadonlySet<number> = new Set([
  ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  ErrorCode.NOT_LEADER_OR_FOLLOWER,
  ErrorCode.MESSAGE_TOO_LARGE,
  ErrorCode.RECORD_LIST_TOO_LARGE,
  ErrorCode.CORRUPT_MESSAGE,
  ErrorCode.KAFKA_STORAGE_ERROR,
])

function fail(result: PartitionResult, error: unknown, partition: Partition | null, context: RequestContext): void {
  result.baseOffset = -1n
  if (error instanceof RecordValidationError) {
    result.recordErrors = error.recordErrors.map(({ batchIndex, message }) => ({
      batchIndex,
      batchIndexErrorMessage: message,
    }))
  }
  result.errorCode = error instanceof KafkaError ? error.code : ErrorCode.UNKNOWN_SERVER_ERROR
  if (partition !== null && !partition.isOffline && !errorsWithoutLogStart.has(result.errorCode))
    result.logStartOffset = partition.log.logStartOffset
  if (!(error instanceof KafkaError)) context.broker.logger.error(`cannot append to ${partition?.name}`, { error })
  else if (error.code === ErrorCode.INVALID_RECORD || error.code === ErrorCode.INVALID_TIMESTAMP)
    result.errorMessage = error.message
}

/** acks=0 wants no answer; an error is told in the only way left, by closing the connection. */
function answerNothing(responses: readonly TopicResult[], context: RequestContext): null {
  const failed = responses.flatMap(({ name, partitionResponses }) =>
    partitionResponses
      .filter(({ errorCode }) => errorCode !== ErrorCode.NONE)
      .map(({ index, errorCode }) => ({ name, index, errorCode })),
  )
  if (failed.length > 0)
    context.closeConnection(
      `a Produce with acks=0 failed for ${failed.map((one) => `${one.name}-${one.index} (error ${one.errorCode})`).join(', ')}`,
    )
  return null
}
