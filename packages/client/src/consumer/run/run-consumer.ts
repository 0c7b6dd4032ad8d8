/** `consumer.run()`: an executor between the consumer's records and the handler, with what retries and dead letters need around it. */
import { tracedHandler } from '../../observe/traced-handler.ts'
import type { ConsumerRecord, TopicPartition } from '../../record.ts'
import { RecordOrigin } from '../records/record-origin.ts'
import type { HandlerContext, RunOptions } from '../run-options.ts'
import { checkRetryTopics, checkRunOptions } from './check-run-options.ts'
import { Executor } from './executor/executor.ts'
import type { Intake } from './executor/partition-work.ts'
import { BackoffSchedule } from './failures/backoff-schedule.ts'
import { passageOf } from './failures/failed-record.ts'
import { FailureSink } from './failures/failure-sink.ts'
import { learnWaitingKeys } from './failures/learn-waiting-keys.ts'
import { RetriedRecord } from './failures/retried-record.ts'
import { ensureTopics, shapeLike, type TopicShape } from './failures/retry-topics.ts'
import { RunFailures } from './failures/run-failures.ts'
import { WaitingKeys } from './failures/waiting-keys.ts'
import type { RunHost } from './run-host.ts'

export async function runConsumer<K, V>(host: RunHost<K, V>, options: RunOptions<K, V>): Promise<void> {
  checkRunOptions(options, host)
  const { signal = new AbortController().signal } = options
  const { retry = null, deadLetter = null, concurrency = 1 } = options
  const schedule = retry === null ? null : new BackoffSchedule(retry)
  const retryTopics = retryTopicsOf(options, schedule)
  checkRetryTopics(retryTopics, options, host)
  const { source, cluster, settings, consumer } = host
  const ending = new AbortController()
  const admissions = new Set<Promise<void>>()
  const { groupId, maxPollIntervalMs, logger } = settings
  const { clock, random } = cluster.world
  if (signal.aborted) return
  const keepsOrder = retry?.keepKeyOrder === true
  const needed = [...retryTopics, ...(deadLetter === null ? [] : [deadLetter.topic])]
  if (needed.length > 0) {
    const ended = AbortSignal.any([signal, cluster.signal])
    try {
      await ensureTopics(needed, { cluster, signal: ended, shape: () => shapeOfSources(host, ended) })
    } catch (error) {
      if (ended.aborted) return
      throw error
    }
  }
  const traced = { ...options, eachRecord: tracedHandler(options.eachRecord, settings) }
  await using sink = new FailureSink(host.openProducer)
  using waitingKeys =
    keepsOrder && groupId !== null
      ? new WaitingKeys({
          topic: retry.topic!,
          groupId,
          sink,
          clock,
          logger,
          committed: (partitions) => consumer.committed(partitions),
        })
      : null
  using _widened = retryTopics.size > 0 ? host.alsoSubscribe!([...retryTopics]) : null
  const executor = new Executor<K, V>({
    source,
    clock,
    concurrency,
    maxPollIntervalMs,
    handle: handlerFor(host, traced, { retryTopics, waitingKeys }),
    intake: intakeFor(options, retryTopics),
    failureRule: new RunFailures({
      retry,
      schedule,
      retryTopics,
      deadLetter,
      sink,
      waitingKeys,
      groupId,
      clock,
      random,
    }),
    admit:
      waitingKeys === null
        ? null
        : ({ topic }) => {
            if (retryTopics.has(topic)) return null
            const learning = learnWaitingKeys(host, { waitingKeys, topic: retry!.topic!, signal: ending.signal })
            admissions.add(learning)
            return learning
          },
  })
  try {
    await executor.run(signal)
  } finally {
    ending.abort(new Error('run has ended'))
    await Promise.allSettled(admissions)
  }
}

function retryTopicsOf<K, V>({ retry }: RunOptions<K, V>, schedule: BackoffSchedule | null): ReadonlySet<string> {
  if (retry?.topic === undefined || schedule === null || retry.attempts < 2) return new Set()
  return new Set(retry.keepKeyOrder === true ? [retry.topic] : schedule.topics(retry.topic))
}

/** The user's handler for what is read, whichever way it came. */
function handlerFor<K, V>(
  host: RunHost<K, V>,
  { eachRecord }: RunOptions<K, V>,
  { retryTopics, waitingKeys }: { retryTopics: ReadonlySet<string>; waitingKeys: WaitingKeys | null },
): (record: ConsumerRecord<K, V>, context: HandlerContext) => void | Promise<void> {
  if (retryTopics.size === 0) return eachRecord
  const decoders = new Map<string, RecordOrigin<K, V>>()
  const decoderOf = ({ topic, partition }: TopicPartition): RecordOrigin<K, V> => {
    const name = `${topic}-${partition}`
    let decoder = decoders.get(name)
    if (decoder === undefined) decoders.set(name, (decoder = new RecordOrigin(topic, partition, host.deserializers)))
    return decoder
  }
  return (record, context) => {
    if (retryTopics.has(record.topic)) {
      const passage = passageOf(record)
      if (passage === null) return eachRecord(record, context)
      return eachRecord(new RetriedRecord(record, passage.origin, decoderOf(passage.origin)), context)
    }
    return waitingKeys?.has(record) === true ? waitingKeys.follow(record) : eachRecord(record, context)
  }
}

function intakeFor<K, V>(
  { ordering = 'partition', retry }: RunOptions<K, V>,
  retryTopics: ReadonlySet<string>,
): (topic: string) => Intake<K, V> {
  const first: Intake<K, V> = { ordering, dueMs: null, attempt: null }
  const again: Intake<K, V> = {
    // Where keys keep their order, one that waits must not hold up the others.
    ordering: retry?.keepKeyOrder === true ? 'key' : ordering,
    dueMs: (record) => passageOf(record)?.dueMs ?? 0,
    attempt: (record) => (passageOf(record)?.attempts ?? 0) + 1,
  }
  return (topic) => (retryTopics.has(topic) ? again : first)
}

async function shapeOfSources<K, V>({ consumer, cluster }: RunHost<K, V>, signal: AbortSignal): Promise<TopicShape> {
  const topics = consumer.subscription()
  return shapeLike(
    await Promise.all(topics.map((topic) => cluster.metadata.topic(topic, { signal, allowCreation: true }))),
  )
}
