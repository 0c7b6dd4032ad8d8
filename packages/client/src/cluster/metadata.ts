/**
 * Keeps what a client knows of the cluster fresh: when it is old, when a broker's answer shows that it is wrong, and when somebody
 * asks for a topic not known yet. One request is under way at a time; who asks meanwhile shares the next.
 */
import { ErrorCode, errorName, KafkaError, Metadata as MetadataApi, type Response } from '@millrace/protocol'
import type { Logger, Timer } from '@millrace/runtime'
import type { World } from '../world.ts'
import { backoffMs } from './backoff.ts'
import {
  emptyImage,
  imageAfter,
  imageWithLeader,
  type ClusterImage,
  type Node,
  type TopicImage,
} from './cluster-image.ts'
import { abortable } from './connections.ts'

export interface MetadataOptions {
  readonly world: World
  readonly logger: Logger
  readonly metadataMaxAgeMs: number
  readonly retryBackoffMs: number
  readonly retryBackoffMaxMs: number
  readonly defaultApiTimeoutMs: number
  /** Asks a broker. Null: for all topics. */
  readonly ask: (
    topics: readonly string[] | null,
    options: { readonly allowAutoTopicCreation: boolean; readonly signal: AbortSignal },
  ) => Promise<Response<typeof MetadataApi>>
}

/** What somebody wants to be kept known. Ends when disposed. */
export interface TopicInterest extends Disposable {
  /** Instead of what was set before. New names are asked for soon. */
  set(topics: 'all' | Iterable<string>): void
}

export interface WaitOptions {
  readonly signal?: AbortSignal | undefined
  /** Default `defaultApiTimeoutMs`. */
  readonly timeoutMs?: number
  /** Let the broker create the topic, if it does that. Default false. */
  readonly allowCreation?: boolean
}

/** Errors of a topic that time may cure. */
const passing = new Set<number>([
  ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  ErrorCode.LEADER_NOT_AVAILABLE,
  ErrorCode.UNKNOWN_TOPIC_ID,
])

/** Of a topic that exists. */
const LONGEST_NAME = 249

/** Answers without a topic after which the log is told: the first may be what has the broker create it. */
const TOLD_AFTER = 3

interface Interest {
  topics: 'all' | ReadonlySet<string>
}

export class Metadata {
  readonly #options: MetadataOptions
  readonly #interests = new Set<Interest>()
  readonly #listeners = new Set<(image: ClusterImage) => void>()
  /** Names that somebody waits for, with whether they may be created. */
  readonly #awaited = new Map<string, { count: number; allowCreation: number }>()
  /** How many answers in a row had no such topic. */
  readonly #missing = new Map<string, number>()
  readonly #closing = new AbortController()
  #image = emptyImage
  #asking: Promise<ClusterImage> | null = null
  #askingNext: Promise<ClusterImage> | null = null
  #timer: Timer | null = null
  /** On the monotonic clock, of the timer. */
  #timerAtMs = Infinity
  #askedAtMs = -Infinity
  #answeredAtMs = -Infinity
  #failures = 0
  /** Of the last time of asking; null when it was answered. */
  #lastFailure: Error | null = null

  constructor(options: MetadataOptions) {
    this.#options = options
  }

  get image(): ClusterImage {
    return this.#image
  }

  /** Since the image was asked for. */
  get ageMs(): number {
    return this.#nowMs() - Math.max(0, this.#answeredAtMs)
  }

  watch(topics: 'all' | Iterable<string> = []): TopicInterest {
    const interest: Interest = { topics: new Set() }
    this.#interests.add(interest)
    const set = (wanted: 'all' | Iterable<string>): void => {
      const known = this.#image.topics
      const before = interest.topics
      interest.topics = wanted === 'all' ? 'all' : new Set(wanted)
      const isNews =
        interest.topics === 'all'
          ? before !== 'all'
          : [...interest.topics].some((topic) => !known.has(topic) && canBeAskedFor(topic))
      if (isNews) this.#askBy(this.#nowMs())
      else this.#askWhenOld()
    }
    set(topics)
    return { set, [Symbol.dispose]: () => void this.#interests.delete(interest) }
  }

  /** Called with every new image, in the order of registration. Must not throw. */
  onChange(listener: (image: ClusterImage) => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }

  /** An image asked for after this call. @throws KafkaError when no broker answers. */
  refresh(signal?: AbortSignal): Promise<ClusterImage> {
    if (this.#asking === null) return abortable(this.#begin(), signal)
    this.#askingNext ??= this.#asking
      .catch(() => {})
      .then(() => {
        this.#askingNext = null
        return this.#asking ?? this.#begin()
      })
    return abortable(this.#askingNext, signal)
  }

  /** The image is wrong somewhere: asks in the background, soon but not without pause. */
  refreshSoon(): void {
    this.#askBy(this.#askedAtMs + this.#pauseMs())
  }

  /**
   * Waits until the topic is known.
   * @throws KafkaError TOPIC_AUTHORIZATION_FAILED and INVALID_TOPIC_EXCEPTION at once; UNKNOWN_TOPIC_OR_PARTITION or what else the brokers said, at the
   * time-out. The signal's reason.
   */
  async topic(name: string, options: WaitOptions = {}): Promise<TopicImage> {
    const known = this.#image.topics.get(name)
    if (known !== undefined) return known
    if (!canBeAskedFor(name))
      throw topicFailure(name.slice(0, LONGEST_NAME), ErrorCode.INVALID_TOPIC_EXCEPTION, options)
    const { clock } = this.#options.world
    const timeoutMs = options.timeoutMs ?? this.#options.defaultApiTimeoutMs
    const deadlineMs = clock.monotonicMs() + timeoutMs
    const release = this.#await(name, options.allowCreation === true)
    using _awake = clock.holdProcess()
    try {
      let failure: KafkaError | null = null
      for (let attempt = 1; ; attempt++) {
        try {
          const image = await this.#within(this.refresh(options.signal), deadlineMs)
          const topic = image?.topics.get(name)
          if (topic !== undefined) return topic
          if (image !== null) failure = topicFailure(name, image.topicErrors.get(name), options)
          if (failure !== null && !passing.has(failure.code)) throw failure
        } catch (error) {
          if (!(error instanceof KafkaError) || !error.retriable) throw error
          failure = error
        }
        const pauseMs = this.#pauseMs(attempt)
        if (clock.monotonicMs() + pauseMs >= deadlineMs) throw failure ?? this.#noAnswer(name)
        await clock.sleep(pauseMs, this.#whileOpen(options.signal))
      }
    } finally {
      release()
    }
  }

  /** A broker told in passing who leads a partition now (KIP-951). False when that was no news. */
  leaderMoved(
    moved: {
      readonly topic: string
      readonly partition: number
      readonly leaderId: number
      readonly leaderEpoch: number
    },
    endpoints: readonly Node[],
  ): boolean {
    const image = imageWithLeader(this.#image, moved, endpoints)
    if (image === this.#image) return false
    this.#use(image)
    return true
  }

  close(reason: Error): void {
    this.#closing.abort(reason)
    this.#timer?.cancel()
  }

  #begin(): Promise<ClusterImage> {
    this.#askedAtMs = this.#nowMs()
    const asking = this.#ask()
    this.#asking = asking
    // Its callers hear of a failure; when all have gone, nobody needs to.
    asking.catch(() => {})
    return asking
  }

  async #ask(): Promise<ClusterImage> {
    try {
      this.#closing.signal.throwIfAborted()
      const topics = this.#wantedTopics()
      const allowAutoTopicCreation = [...this.#awaited.values()].some(({ allowCreation }) => allowCreation > 0)
      const answer = await this.#options.ask(topics === 'all' ? null : [...topics], {
        allowAutoTopicCreation,
        signal: this.#closing.signal,
      })
      if (answer.errorCode !== ErrorCode.NONE) throw new KafkaError(answer.errorCode)
      this.#failures = 0
      this.#lastFailure = null
      this.#answeredAtMs = this.#askedAtMs
      const wanted = this.#wantedTopics()
      this.#use(imageAfter(this.#image, answer, (topic) => topics !== 'all' && (wanted === 'all' || wanted.has(topic))))
      this.#noteMissing()
      return this.#image
    } catch (error) {
      this.#failures++
      this.#lastFailure = error as Error
      throw error
    } finally {
      this.#asking = null
      this.#scheduleNext()
    }
  }

  /** Readers wait for topics that are missing, however long: at least the log says what they wait for, once for each. */
  #noteMissing(): void {
    const { topicErrors } = this.#image
    for (const topic of this.#missing.keys()) if (!topicErrors.has(topic)) this.#missing.delete(topic)
    for (const [topic, code] of topicErrors) {
      const answers = (this.#missing.get(topic) ?? 0) + 1
      this.#missing.set(topic, answers)
      if (answers !== TOLD_AFTER) continue
      this.#options.logger.warn('a topic is not to be had, and is waited for', { error: topicFailure(topic, code, {}) })
    }
  }

  /** After an answer: again when it is old; soon when it was none, or shows partitions without leader. */
  #scheduleNext(): void {
    this.#timer?.cancel()
    this.#timerAtMs = Infinity
    if (this.#failures > 0) this.#askBy(this.#nowMs() + this.#pauseMs())
    else {
      if (hasGaps(this.#image, this.#wantedTopics())) this.#askBy(this.#nowMs() + this.#options.retryBackoffMaxMs)
      this.#askWhenOld()
    }
  }

  #askWhenOld(): void {
    this.#askBy(Math.max(this.#askedAtMs, 0) + this.#options.metadataMaxAgeMs)
  }

  /** Asks at that time of the monotonic clock, if not before. */
  #askBy(atMs: number): void {
    if (this.#closing.signal.aborted || atMs >= this.#timerAtMs) return
    this.#timer?.cancel()
    this.#timerAtMs = atMs
    this.#timer = this.#options.world.clock.after(Math.max(0, atMs - this.#nowMs()), () => {
      this.#timerAtMs = Infinity
      if (this.#asking === null) void this.#begin()
    })
  }

  #use(image: ClusterImage): void {
    this.#image = image
    for (const listener of this.#listeners) listener(image)
  }

  #await(name: string, allowCreation: boolean): () => void {
    const entry = this.#awaited.get(name) ?? { count: 0, allowCreation: 0 }
    this.#awaited.set(name, entry)
    const creation = allowCreation ? 1 : 0
    entry.count++
    entry.allowCreation += creation
    return () => {
      entry.allowCreation -= creation
      if (--entry.count === 0) this.#awaited.delete(name)
    }
  }

  #wantedTopics(): 'all' | ReadonlySet<string> {
    const wanted = new Set<string>(this.#awaited.keys())
    for (const { topics } of this.#interests) {
      if (topics === 'all') return 'all'
      for (const topic of topics) if (canBeAskedFor(topic)) wanted.add(topic)
    }
    return wanted
  }

  #noAnswer(topic: string): KafkaError {
    const failure = this.#lastFailure
    const reason = failure === null ? 'no broker has answered' : failure.message
    const cause = failure === null ? {} : { cause: failure }
    return new KafkaError(ErrorCode.REQUEST_TIMED_OUT, `topic ${topic} cannot be looked up: ${reason}`, cause)
  }

  /** Null when the deadline comes first. */
  #within<T>(promise: Promise<T>, deadlineMs: number): Promise<T | null> {
    return new Promise((resolve, reject) => {
      const timer = this.#options.world.clock.after(deadlineMs - this.#nowMs(), () => resolve(null))
      promise.then(resolve, reject).finally(() => timer.cancel())
    })
  }

  #pauseMs(failures = Math.max(1, this.#failures)): number {
    const { retryBackoffMs, retryBackoffMaxMs, world } = this.#options
    return backoffMs(failures, { initialMs: retryBackoffMs, maxMs: retryBackoffMaxMs, random: world.random })
  }

  #whileOpen(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? this.#closing.signal : AbortSignal.any([signal, this.#closing.signal])
  }

  #nowMs(): number {
    return this.#options.world.clock.monotonicMs()
  }
}

/** A wanted topic that is missing for a passing reason, or a partition without leader. */
function hasGaps(image: ClusterImage, wanted: 'all' | ReadonlySet<string>): boolean {
  for (const [topic, code] of image.topicErrors)
    if (passing.has(code) && wanted !== 'all' && wanted.has(topic)) return true
  for (const { partitions } of image.topics.values())
    for (const { leaderId } of partitions) if (leaderId < 0) return true
  return false
}

/** A name too long for its request must not keep the others from being asked for. What else is wrong with a name the broker says. */
function canBeAskedFor(topic: string): boolean {
  return topic.length <= LONGEST_NAME
}

function topicFailure(name: string, told: number | undefined, options: WaitOptions): KafkaError {
  const code = told ?? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
  return new KafkaError(code, `topic ${name}: ${whatFailed(code, options)}`)
}

function whatFailed(code: number, { allowCreation }: WaitOptions): string {
  switch (code) {
    case ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:
      return allowCreation === true
        ? 'the brokers do not know it, and do not create topics on their own (auto.create.topics.enable); create it first'
        : 'the brokers do not know it; create it first'
    case ErrorCode.TOPIC_AUTHORIZATION_FAILED:
      return 'this client may not describe it; it needs the operation Describe on the topic'
    case ErrorCode.INVALID_TOPIC_EXCEPTION:
      return 'the name is not allowed; topics have 1 to 249 letters, digits, dots, underscores and dashes'
    case ErrorCode.LEADER_NOT_AVAILABLE:
      return 'it has no leader yet'
  }
  return `the broker answered ${errorName(code)}`
}
