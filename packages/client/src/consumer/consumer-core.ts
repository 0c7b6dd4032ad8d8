/** The parts of a consumer, and how they hear of each other. The rules are in the parts; what the application sees is in `kafka-consumer.ts`. */
import { CodecWorker, ErrorCode, KafkaError } from '@millrace/protocol'
import type { ClientContext } from '../client-context.ts'
import type { ClusterImage } from '../cluster/cluster-image.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { TopicInterest } from '../cluster/metadata.ts'
import { tell } from '../handle-failure.ts'
import { channels } from '../observe/channels.ts'
import { TelemetryPush } from '../observe/telemetry/telemetry-push.ts'
import type { TopicPartition } from '../record.ts'
import { checkConsumerSettings } from './check-settings.ts'
import { Commits } from './commits/commits.ts'
import { ConsumerMetrics } from './consumer-metrics.ts'
import { Fetcher } from './fetch/fetcher.ts'
import { Interceptors } from './interceptors.ts'
import type { Membership, MembershipOwner, Subscription } from './membership.ts'
import { GroupOffsets } from './offsets/group-offsets.ts'
import type { consumerOptions, ConsumerSettings } from './options.ts'
import { applyMetadata } from './partition-leaders.ts'
import { AssignedPartition } from './positions/assigned-partition.ts'
import { Assignment } from './positions/assignment.ts'
import { PositionFinder } from './positions/position-finder.ts'
import { PartitionSource } from './reading/partition-source.ts'
import type { RebalanceListener } from './rebalance-listener.ts'
import { Rebalances } from './rebalances.ts'
import type { FetchedRecords } from './records/fetched-records.ts'
import type { Deserializers } from './records/record-origin.ts'

export interface ConsumerCoreOptions<K, V> {
  readonly context: ClientContext<typeof consumerOptions>
  readonly deserializers: Deserializers<K, V>
  /** How to be a member of a group. */
  readonly openMembership: (options: {
    readonly cluster: Cluster
    readonly settings: ConsumerSettings & { readonly groupId: string }
    readonly owner: MembershipOwner
  }) => Membership
}

export class ConsumerCore<K, V> {
  readonly settings: ConsumerSettings
  readonly cluster: Cluster
  readonly assignment: Assignment<K, V>
  readonly source: PartitionSource<K, V>
  readonly finder: PositionFinder<K, V>
  readonly fetcher: Fetcher<K, V>
  /** Null without a group. */
  readonly groupOffsets: GroupOffsets | null
  readonly commits: Commits<K, V> | null
  readonly rebalances: Rebalances<K, V>
  readonly telemetry: TelemetryPush | null
  /** What is subscribed to; null when nothing is. */
  subscription: Subscription | null
  /** Topics read besides what is subscribed to. */
  readonly ownTopics = new Set<string>()
  listener: RebalanceListener | null
  isAssignedByHand = false
  membership: Membership | null = null
  readonly #options: ConsumerCoreOptions<K, V>
  readonly metrics: ConsumerMetrics<K, V>
  readonly #codecs: CodecWorker
  readonly #interest: TopicInterest
  readonly #metadataWatch: Disposable
  /** Wait for a partition to get a position, or for the consumer to close. */
  readonly #positionWaits = new Set<() => void>()

  /** @throws TypeError for settings that do not go together. */
  constructor(options: ConsumerCoreOptions<K, V>) {
    const { settings, cluster, metrics } = options.context
    checkConsumerSettings(settings)
    const { groupId, logger, topics } = settings
    this.#options = options
    this.settings = settings
    this.cluster = cluster
    this.subscription = topics
    this.listener = settings.onRebalance
    const counts = new ConsumerMetrics<K, V>(metrics, settings.isolationLevel)
    this.metrics = counts
    this.assignment = new Assignment(
      (partition) => counts.assigned(partition),
      (partition) => counts.unassigned(partition),
    )
    this.#codecs = new CodecWorker({ onTrouble: (error) => logger.warn('the codec thread has ended', { error }) })
    const interceptors = new Interceptors(settings.interceptors, logger)
    const onError = (error: Error, about: AssignedPartition<K, V> | null): void => this.source.tell(error, about)
    const onTrouble = (error: Error): void => this.troubled(error)
    const report = (): void => this.source.reader?.report?.()
    const { assignment } = this
    const parts = { cluster, settings, assignment, signal: cluster.signal, onError, onTrouble }
    this.source = new PartitionSource({
      clock: cluster.world.clock,
      assignment,
      maxPollRecords: settings.maxPollRecords,
      intercept: (records) => interceptors.consume(records),
      onAsked: () => this.#asked(),
      polled: () => this.membership?.polled(),
      onIdle: () => counts.polls.waits(),
      onGiven: (records) => this.#given(records),
      onTaken: (partition) => this.fetcher.takenFrom(partition),
      onMoved: () => this.wake(),
    })
    this.groupOffsets = groupId === null ? null : new GroupOffsets(cluster, groupId)
    this.finder = new PositionFinder({
      ...parts,
      groupOffsets: this.groupOffsets,
      beginsAtStart: (topic) => this.ownTopics.has(topic),
      report,
      onMoved: (partition) => this.source.reader?.moved([partition]),
      onPosition: () => this.#positioned(),
    })
    this.fetcher = new Fetcher({
      ...parts,
      codecs: this.#codecs,
      onRecords: () => this.source.wake(),
      counts,
      onOutOfRange: (partition) => this.finder.outOfRange(partition),
      onDiverged: (partition, end) => this.finder.diverged(partition, end),
    })
    this.commits =
      groupId === null || this.groupOffsets === null
        ? null
        : new Commits({
            ...parts,
            groupId,
            groupOffsets: this.groupOffsets,
            metrics,
            membership: () => this.membership,
            report,
            onCommitted: (offsets) => interceptors.committed(offsets),
          })
    this.rebalances = new Rebalances({
      ...parts,
      source: this.source,
      automaticCommits: this.commitsOnItsOwn ? this.commits : null,
      commits: this.commits,
      subscription: () => widened(this.subscription ?? [], this.ownTopics),
      listener: () => this.listener,
      add: (partitions) => this.add(partitions, { isWithheld: true }),
      onReadable: () => this.wake(),
      onListened: (event, durationMs) => counts.listened(event, durationMs),
      onFailure: (error) => this.source.fail(error),
    })
    this.#interest = cluster.metadata.watch()
    this.#metadataWatch = cluster.metadata.onChange((image) => this.#metadataChanged(image))
    this.telemetry = settings.enableMetricsPush
      ? new TelemetryPush({ cluster, metrics, labels: telemetryLabels(settings) })
      : null
  }

  get commitsOnItsOwn(): boolean {
    return this.settings.groupId !== null && this.settings.enableAutoCommit !== false
  }

  /** Reads these topics, from their beginning, besides what is subscribed to, until disposed. */
  alsoSubscribe(topics: readonly string[]): Disposable {
    for (const topic of topics) this.ownTopics.add(topic)
    this.membership?.subscriptionChanged()
    return {
      [Symbol.dispose]: () => {
        for (const topic of topics) this.ownTopics.delete(topic)
        for (const partition of this.assignment) if (topics.includes(partition.topic)) partition.isUnwanted = true
        if (!this.source.isClosed) this.membership?.subscriptionChanged()
      },
    }
  }

  /** Makes partitions ours, but for those that are. */
  add(partitions: readonly TopicPartition[], { isWithheld }: { readonly isWithheld: boolean }): void {
    for (const { topic, partition } of partitions) {
      if (this.assignment.get({ topic, partition }) !== undefined) continue
      const added = new AssignedPartition<K, V>({ topic, partition, deserializers: this.#options.deserializers })
      added.isWithheld = isWithheld
      applyMetadata(added, this.cluster.metadata.image)
      this.assignment.add(added)
    }
    this.#interest.set(this.assignment.topics())
  }

  /** Something has changed: whoever has something to do because of it does it. */
  wake(): void {
    this.finder.wake()
    this.#positioned()
  }

  /** Resolves when a partition may have got a position. */
  positionChange(timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const settle = (): void => {
      timer.cancel()
      signal?.removeEventListener('abort', settle)
      this.#positionWaits.delete(settle)
      resolve()
    }
    const timer = this.cluster.world.clock.after(Math.max(0, timeoutMs), settle)
    signal?.addEventListener('abort', settle, { once: true })
    this.#positionWaits.add(settle)
    return promise
  }

  /** What went wrong where nobody waits for it. */
  troubled(error: Error): void {
    const { logger, groupId, onError } = this.settings
    logger.warn('a consumer is in trouble', { groupId, error })
    tell('onError', logger, () => onError?.(error))
  }

  /** The consumer is out of its group, and has no partitions. */
  async dispose(): Promise<void> {
    for (const wake of this.#positionWaits) wake()
    this.commits?.close()
    this.fetcher.close()
    this.#metadataWatch[Symbol.dispose]()
    this.#interest[Symbol.dispose]()
    await this.membership?.[Symbol.asyncDispose]()
    await this.telemetry?.[Symbol.asyncDispose]()
    await Promise.all([this.#codecs[Symbol.asyncDispose](), this.cluster[Symbol.asyncDispose]()])
  }

  /** Somebody asks for records: that is when a consumer becomes a member of its group. */
  #asked(): void {
    if (this.isAssignedByHand || this.membership !== null) return
    const { groupId } = this.settings
    if (this.subscription === null || groupId === null)
      throw new TypeError('this consumer has nothing to read: subscribe to topics, or assign partitions')
    this.membership = this.#options.openMembership({
      cluster: this.cluster,
      settings: { ...this.settings, groupId },
      owner: this.rebalances,
    })
    this.membership.join()
    if (this.commitsOnItsOwn) this.commits?.startAutomatic()
  }

  #given(records: FetchedRecords<K, V>): void {
    this.metrics.given(records, this.assignment.get(records))
    this.membership?.handling(records)
    if (!channels.consumedBatch.hasSubscribers) return
    const { topic, partition, count, firstOffset, lag } = records
    const { clientId, groupId } = this.settings
    channels.consumedBatch.publish({ clientId, groupId, topic, partition, recordsCount: count, firstOffset, lag })
  }

  #metadataChanged(image: ClusterImage): void {
    for (const partition of this.assignment)
      if (!applyMetadata(partition, image) && partition.position !== null) this.finder.recreated(partition)
    for (const topic of this.#topicsOfInterest()) {
      const code = image.topicErrors.get(topic)
      if (code === ErrorCode.TOPIC_AUTHORIZATION_FAILED)
        this.source.tell(
          new KafkaError(
            code,
            `this client may not read topic ${topic}; it needs the operations Read and Describe on it`,
          ),
          null,
        )
      else if (code === ErrorCode.INVALID_TOPIC_EXCEPTION)
        this.source.tell(new KafkaError(code, `${JSON.stringify(topic)} is no name of a topic`), null)
    }
    this.wake()
  }

  #topicsOfInterest(): readonly string[] {
    const { subscription } = this
    return subscription === null || subscription instanceof RegExp ? this.assignment.topics() : subscription
  }

  #positioned(): void {
    for (const wake of this.#positionWaits) wake()
    this.fetcher.wake()
    this.source.wake()
  }
}

function widened(subscription: Subscription, topics: ReadonlySet<string>): Subscription {
  if (topics.size === 0) return subscription
  if (!(subscription instanceof RegExp)) return [...new Set([...subscription, ...topics])]
  const names = [...topics].map((topic) => topic.replaceAll('.', '\\.'))
  return new RegExp(`(?:${subscription.source})|^(?:${names.join('|')})$`, subscription.flags)
}

function telemetryLabels({ groupId, groupInstanceId, clientRack }: ConsumerSettings): Record<string, string> {
  return {
    ...(groupId === null ? {} : { group_id: groupId }),
    ...(groupInstanceId === null ? {} : { group_instance_id: groupInstanceId }),
    ...(clientRack === '' ? {} : { client_rack: clientRack }),
  }
}
