/** `consumer.run()`: an executor between the consumer's records and the handler, with what retries and dead letters need around it. */
import type { Logger, Timer } from '@millrace/runtime'
import type { Cluster } from '../../cluster/cluster.ts'
import {
  flag,
  fraction,
  integer,
  isFunction,
  isObject,
  milliseconds,
  oneOf,
  optional,
  required,
  shaped,
  text,
} from '../../config/option.ts'
import { settingsFrom } from '../../config/settings.ts'
import { tracedHandler } from '../../observe/traced-handler.ts'
import type { Tracing } from '../../observe/tracing.ts'
import type { ConsumerRecord, TopicPartition } from '../../record.ts'
import type { Consumer } from '../consumer.ts'
import { RecordOrigin, type Deserializers } from '../records/record-origin.ts'
import type { RecordSource } from '../record-source.ts'
import type { HandlerContext, RunOptions } from '../run-options.ts'
import { BackoffSchedule } from './backoff-schedule.ts'
import { Executor } from './executor.ts'
import { passageOf } from './failed-record.ts'
import { FailureSink, type BytesProducer } from './failure-sink.ts'
import type { Intake } from './partition-work.ts'
import { RetriedRecord } from './retried-record.ts'
import { ensureTopics, shapeLike, type TopicShape } from './retry-topics.ts'
import { RunFailures } from './run-failures.ts'
import { WaitingKeys } from './waiting-keys.ts'

/** What the run takes of its consumer. */
export interface RunHost<K, V> {
  readonly consumer: Pick<Consumer<K, V>, 'subscription' | 'committed' | 'endOffsets' | 'beginningOffsets'>
  readonly source: RecordSource<K, V>
  readonly cluster: Cluster
  readonly settings: {
    readonly groupId: string | null
    readonly maxPollIntervalMs: number
    readonly enableAutoCommit: boolean | null
    readonly logger: Logger
    readonly tracing: Tracing | null
  }
  readonly deserializers: Deserializers<K, V>
  /** Whether this consumer reads the topic already. */
  readonly reads: (topic: string) => boolean
  /** Null when partitions are assigned by hand, and there is no subscription to widen. */
  readonly alsoSubscribe: ((topics: readonly string[]) => Disposable) | null
  /** An idempotent one that waits for all replicas. */
  readonly openProducer: () => BytesProducer
  /** One without a group, which reads committed records. */
  readonly openScanner: () => Pick<
    Consumer<Uint8Array, Uint8Array>,
    'assign' | 'seek' | 'batches' | 'close' | 'position'
  >
}

/** How long nothing may come of a retry topic before its rest is taken for empty. */
const quietMs = 10_000

const retryOptions = {
  attempts: required(integer(1)),
  backoff: optional<unknown>(
    shaped(
      'a number of milliseconds, or { initialMs, factor, maxMs }',
      (value) =>
        milliseconds().accepts(value) ||
        (isObject(value) &&
          milliseconds().accepts(value['initialMs']) &&
          (value['factor'] === undefined || fraction(1, Infinity).accepts(value['factor'])) &&
          (value['maxMs'] === undefined || milliseconds().accepts(value['maxMs']))),
    ),
    undefined,
  ),
  jitter: optional<unknown>(fraction(0, 1), undefined),
  topic: optional<unknown>(text, undefined),
  keepKeyOrder: optional<unknown>(flag, undefined),
  retriable: optional<unknown>(shaped('a function that takes an error', isFunction), undefined),
} as const

const runOptions = {
  eachRecord: required(shaped('a function that takes a record', isFunction)),
  concurrency: optional(integer(1), 1),
  ordering: optional(oneOf('partition', 'key'), 'partition'),
  retry: optional<unknown>(shaped('an object with attempts', isObject), undefined),
  deadLetter: optional<unknown>(shaped('an object with a topic', isObject), undefined),
  signal: optional<unknown>(
    shaped('an AbortSignal', (value) => value instanceof AbortSignal),
    undefined,
  ),
} as const

/** @throws TypeError for options that are unknown or wrong. */
function check<K, V>(options: RunOptions<K, V>, host: RunHost<K, V>): void {
  const place = 'consumer.run()'
  settingsFrom(runOptions, { ...options }, place)
  const { retry, deadLetter } = options
  if (retry !== undefined) settingsFrom(retryOptions, { ...retry }, `${place}: retry`)
  if (deadLetter !== undefined) settingsFrom({ topic: required(text) }, { ...deadLetter }, `${place}: deadLetter`)
  if (retry?.keepKeyOrder === true && retry.topic === undefined)
    throw new TypeError(`${place}: keepKeyOrder goes with retry.topic; in place, order is kept anyway`)
  if (deadLetter !== undefined && host.reads(deadLetter.topic))
    throw new TypeError(`${place}: deadLetter.topic ${deadLetter.topic} is among the topics that this consumer reads`)
  if (retry?.topic === undefined) return
  if (host.settings.groupId === null || host.alsoSubscribe === null)
    throw new TypeError(`${place}: retry.topic needs a groupId and a subscription, for the retry topic is read as well`)
  if (retry.keepKeyOrder === true && host.settings.enableAutoCommit === false)
    throw new TypeError(`${place}: keepKeyOrder needs enableAutoCommit; commits tell when a key waits no more`)
}

export async function runConsumer<K, V>(host: RunHost<K, V>, options: RunOptions<K, V>): Promise<void> {
  check(options, host)
  const { signal = new AbortController().signal } = options
  const { retry = null, deadLetter = null, concurrency = 1 } = options
  const { source, cluster, settings, consumer } = host
  const ending = new AbortController()
  const admissions = new Set<Promise<void>>()
  const { groupId, maxPollIntervalMs, logger } = settings
  const { clock, random } = cluster.world
  if (signal.aborted) return
  const schedule = retry === null ? null : new BackoffSchedule(retry)
  const keepsOrder = retry?.keepKeyOrder === true
  const retryTopics = retryTopicsOf(options, schedule)
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

/** Which keys have records in the retry topic that are not done with. Nothing of a new partition is handled before that is known. */
async function learnWaitingKeys<K, V>(
  { consumer, cluster, openScanner }: RunHost<K, V>,
  { waitingKeys, topic, signal }: { waitingKeys: WaitingKeys; topic: string; signal: AbortSignal },
): Promise<void> {
  const { partitions } = await cluster.metadata.topic(topic, { signal })
  const all = partitions.map((_, partition) => ({ topic, partition }))
  const [ends, beginnings, committed] = await Promise.all([
    consumer.endOffsets(all),
    consumer.beginningOffsets(all),
    consumer.committed(all),
  ])
  const { clock } = cluster.world
  const left = new Map<number, bigint>()
  const scanner = openScanner()
  try {
    const starts = all.map(({ partition }, index) => {
      const from = committed[index]?.offset ?? 0n
      const begin = beginnings[index]!.offset
      return { topic, partition, offset: from > begin ? from : begin }
    })
    for (const { partition, offset } of starts) {
      const end = ends[partition]!.offset
      if (offset < end) left.set(partition, end)
    }
    if (left.size === 0) return
    scanner.assign([...left.keys()].map((partition) => ({ topic, partition })))
    for (const { partition, offset } of starts)
      if (left.has(partition)) await scanner.seek(offset, [{ topic, partition }])
    // Where nothing is left of the offsets, nothing waits: no batch will come of them.
    const quiet = new AbortController()
    const listen = (): Timer => clock.after(quietMs, () => quiet.abort())
    let timer = listen()
    for await (const batch of scanner.batches({ signal: AbortSignal.any([signal, quiet.signal]) })) {
      timer.cancel()
      const end = left.get(batch.partition) ?? 0n
      for (const { rawKey, offset } of batch)
        if (rawKey !== null && offset < end) waitingKeys.learn(rawKey, batch.partition, offset)
      if (batch.end.offset >= end) left.delete(batch.partition)
      if (left.size === 0) return
      timer = listen()
    }
  } finally {
    await scanner.close()
  }
}
