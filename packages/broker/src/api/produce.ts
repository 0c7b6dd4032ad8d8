/**
 * Appends record batches to partitions. acks 0: no answer; 1: written here; -1: on every in-sync replica.
 * Versions 0-2 carry message sets of magic 0 and 1, which are converted. Topic ids from 13 (KIP-516), per-record errors from 8
 * (KIP-467), the current leader from 10 (KIP-951).
 */
import { ErrorCode, KafkaError, Produce, ZERO_UUID, type Request, type ResponseInput } from '@millrace/protocol'
import { RecordValidationError, validateRecords, type ValidatedBatches } from '@millrace/storage'
import type { Partition } from '../partitions/partition.ts'
import { handler } from '../server/handler.ts'
import type { RequestContext } from '../server/request-context.ts'
import { isInternalTopic } from '../controller/topic-names.ts'
import { CurrentLeaders } from './current-leaders.ts'

type ProduceRequest = Request<typeof Produce>
type TopicResult = ResponseInput<typeof Produce>['responses'][number]
type PartitionResult = TopicResult['partitionResponses'][number]

/** One partition's part of the request on its way through. */
interface Write {
  readonly partition: Partition
  readonly result: PartitionResult
  batches: ValidatedBatches | null
}

/** Kafka's own admin client may write to internal topics (it restores offsets); nobody else. */
const internalTopicsClientId = '__admin_client'

export const produce = handler(Produce, async (request, context) => {
  const responses: TopicResult[] = []
  const writes: Write[] = []
  let validations: Promise<void>[] | null = null

  for (const { name, topicId, partitionData } of request.topicData) {
    const topic = topicId === ZERO_UUID ? name : context.broker.metadata.image.topicNameById(topicId)
    const partitionResponses: PartitionResult[] = []
    responses.push({ name, topicId, partitionResponses })
    for (const { index, records } of partitionData) {
      const result: PartitionResult = { index, errorCode: ErrorCode.NONE, baseOffset: -1n }
      partitionResponses.push(result)
      try {
        const partition = accept(request, topic, topicId, index, context)
        const write: Write = { partition, result, batches: null }
        const batches = validate(partition, records, context)
        if (batches instanceof Promise) {
          const validation = batches.then(
            (validated) => void (write.batches = validated),
            (error: unknown) => fail(result, error, partition.name, context),
          )
          ;(validations ??= []).push(validation)
        } else write.batches = batches
        writes.push(write)
      } catch (error) {
        fail(result, error, `${topic}-${index}`, context)
      }
    }
  }
  if (validations !== null) await Promise.all(validations)
  refuseMixedProducers(writes)
  const replicated = appendAll(writes, request, context)
  context.letNextStart()
  await replicated

  if (request.acks === 0) return answerNothing(responses, context)
  const leaders = new CurrentLeaders(context)
  for (const { name, topicId, partitionResponses } of responses) {
    for (const result of partitionResponses) {
      if (result.errorCode !== ErrorCode.NOT_LEADER_OR_FOLLOWER) continue
      const topic =
        topicId === undefined || topicId === ZERO_UUID ? name : context.broker.metadata.image.topicNameById(topicId)
      const leader = leaders.of(topic, result.index)
      if (leader !== null && context.version >= 10) result.currentLeader = leader
    }
  }
  return { responses, throttleTimeMs: 0, ...(context.version >= 10 ? { nodeEndpoints: leaders.endpoints() } : {}) }
})

/** Finds the partition and checks everything that does not need the records. */
function accept(
  request: ProduceRequest,
  topic: string | undefined,
  topicId: string,
  index: number,
  context: RequestContext,
): Partition {
  if (topic === undefined) throw new KafkaError(ErrorCode.UNKNOWN_TOPIC_ID, `there is no topic with id ${topicId}`)
  if (request.acks !== 0 && request.acks !== 1 && request.acks !== -1)
    throw new KafkaError(ErrorCode.INVALID_REQUIRED_ACKS, `acks must be -1, 0 or 1, not ${request.acks}`)
  const partition = context.broker.partitions.find(topic, index, topicId)
  if (isInternalTopic(topic) && context.clientId !== internalTopicsClientId)
    throw new KafkaError(ErrorCode.INVALID_TOPIC_EXCEPTION, `clients may not write to the internal topic ${topic}`)
  partition.leaderLog(-1)
  return partition
}

function validate(
  partition: Partition,
  records: Uint8Array | null,
  context: RequestContext,
): ValidatedBatches | Promise<ValidatedBatches> {
  if (records === null)
    throw new KafkaError(ErrorCode.INVALID_RECORD, `the request carries no records for ${partition.name}`)
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

/** Transactional records of one request come from one producer. Until there is a transaction coordinator, none are accepted. */
function refuseMixedProducers(writes: readonly Write[]): void {
  for (const { batches, result } of writes) {
    if (batches === null || !batches.isTransactional) continue
    result.errorCode = ErrorCode.INVALID_TXN_STATE
    result.errorMessage = 'transactions are not supported by this broker yet'
  }
}

/**
 * Appends all that passed, at once. Resolves when each is as safe as `acks` asks, or `timeoutMs` is over: the records then stay in
 * the log, only the wait for other replicas ends. Never before all is written here: the bytes are the request's own.
 */
function appendAll(writes: readonly Write[], request: ProduceRequest, context: RequestContext): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  /** Written or not, not yet as safe as asked. */
  const unsafe = new Set<PartitionResult>()
  let unwritten = 0
  let isTimedOut = false
  const settle = (result: PartitionResult, errorCode: number) => {
    if (!unsafe.delete(result)) return
    if (errorCode !== ErrorCode.NONE) {
      result.errorCode = errorCode
      result.baseOffset = -1n
    }
    if (unsafe.size === 0 && unwritten === 0) resolve()
  }
  for (const { partition, batches, result } of writes) {
    if (batches === null || result.errorCode !== ErrorCode.NONE) continue
    try {
      const appended = partition.append(batches, { acks: request.acks, origin: 'client' }, (errorCode) => {
        unwritten--
        if (errorCode === ErrorCode.NONE && request.acks === -1 && !isTimedOut)
          partition.whenReplicated(appended.lastOffset + 1n, (replicated) => settle(result, replicated))
        else settle(result, errorCode)
        if (unsafe.size === 0 && unwritten === 0) resolve()
      })
      unwritten++
      unsafe.add(result)
      result.baseOffset = appended.firstOffset
      result.logAppendTimeMs = appended.logAppendTimeMs
      result.logStartOffset = appended.logStartOffset
    } catch (error) {
      fail(result, error, partition.name, context)
    }
  }
  if (unwritten === 0) return Promise.resolve()
  if (request.acks !== -1) return promise
  const timer = context.broker.clock.after(Math.max(0, request.timeoutMs), () => {
    isTimedOut = true
    for (const result of unsafe) settle(result, ErrorCode.REQUEST_TIMED_OUT)
  })
  return promise.finally(() => timer.cancel())
}

function fail(result: PartitionResult, error: unknown, name: string, context: RequestContext): void {
  result.baseOffset = -1n
  if (error instanceof RecordValidationError) {
    result.recordErrors = error.recordErrors.map(({ batchIndex, message }) => ({
      batchIndex,
      batchIndexErrorMessage: message,
    }))
  }
  if (error instanceof KafkaError) {
    result.errorCode = error.code
    if (error.code === ErrorCode.INVALID_RECORD || error.code === ErrorCode.INVALID_TIMESTAMP)
      result.errorMessage = error.message
    return
  }
  context.broker.logger.error(`cannot append to ${name}`, { error })
  result.errorCode = ErrorCode.UNKNOWN_SERVER_ERROR
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
