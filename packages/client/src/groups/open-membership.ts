/** The membership of a consumer in its group, whichever protocol it speaks: chosen when it joins, and again when the coordinator refuses it. */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { Cluster } from '../cluster/cluster.ts'
import { abortable } from '../cluster/connections.ts'
import type { Membership, MembershipOwner } from '../consumer/membership.ts'
import type { ConsumerSettings } from '../consumer/options.ts'
import { channels } from '../observe/channels.ts'
import { Metrics } from '../observe/metrics.ts'
import type { GroupMetadata } from '../producer/producer.ts'
import type { TopicPartition } from '../record.ts'
import { ClassicMember } from './classic/classic-member.ts'
import { chooseProtocol, type GroupProtocol } from './choose-protocol.ts'
import { brokerPattern } from './consumer/broker-pattern.ts'
import { ConsumerMember } from './consumer/consumer-member.ts'
import { GroupMetrics } from './group-metrics.ts'
import type { Heart, HeartbeatHost, HeartEvent } from './heartbeats/heart.ts'
import { Liveness } from './liveness.ts'
import type { MemberEnvironment, ProtocolMember } from './member-environment.ts'
import { SubscribedTopics } from './subscribed-topics.ts'

export interface OpenMembershipOptions {
  readonly cluster: Cluster
  readonly settings: ConsumerSettings & { readonly groupId: string }
  readonly owner: MembershipOwner
  readonly heartbeats: HeartbeatHost
  /** Where the group's share is counted. Default: nowhere. */
  readonly metrics?: Metrics
}

/** Does nothing before `join`. @throws TypeError for assignors that do not go together. */
export function openMembership(options: OpenMembershipOptions): Membership {
  return new GroupMembership(options)
}

/** Invariant: `#member` is the only one that calls the owner, and hears of the heart. */
class GroupMembership implements Membership {
  readonly #options: OpenMembershipOptions
  readonly #liveness = new Liveness()
  readonly #metrics: GroupMetrics
  readonly #topics: SubscribedTopics
  readonly #heart: Heart
  readonly #closing = new AbortController()
  #member: ProtocolMember | null = null
  #chosen: GroupProtocol | null = null
  /** Choosing a protocol, or changing it. */
  #choosing: Promise<void> = Promise.resolve()
  #isDisposed = false

  constructor(options: OpenMembershipOptions) {
    this.#options = options
    const { cluster, settings, heartbeats } = options
    const { clock } = cluster.world
    this.#metrics = new GroupMetrics(options.metrics ?? new Metrics(clock, {}), clock)
    this.#topics = new SubscribedTopics({
      cluster,
      excludeInternalTopics: settings.excludeInternalTopics,
      allowAutoCreateTopics: settings.allowAutoCreateTopics,
      onChange: () => this.#member?.topicsChanged(),
    })
    this.#heart = heartbeats.open({
      settings: cluster.settings,
      world: cluster.world,
      plan: {
        groupId: settings.groupId,
        groupInstanceId: settings.groupInstanceId,
        maxPollIntervalMs: settings.maxPollIntervalMs,
        pollMemory: this.#liveness.memory,
      },
      listener: (event) => this.#heard(event),
    })
  }

  get metadata(): GroupMetadata {
    const { groupId, groupInstanceId } = this.#options.settings
    return this.#member?.metadata ?? { groupId, generationId: -1, memberId: '', groupInstanceId }
  }

  get subscribedTopics(): readonly string[] {
    return this.#topics.names
  }

  join(): void {
    this.#choosing = this.#choose()
  }

  subscriptionChanged(): void {
    this.#useTopics()
    this.#member?.topicsChanged()
  }

  polled(): void {
    this.#liveness.polled()
  }

  waiting(): void {
    this.#liveness.waiting()
  }

  handling(partition: TopicPartition | null): void {
    this.#liveness.handling(partition)
  }

  enforceRebalance(reason: string): void {
    this.#member?.enforceRebalance(reason)
  }

  commitRefused(code: number, sentAs: GroupMetadata): void {
    this.#member?.commitRefused(code, sentAs)
  }

  async leave(options: { readonly leaveGroup: boolean; readonly signal: AbortSignal }): Promise<void> {
    this.#closing.abort(new Error('the member leaves'))
    try {
      await abortable(
        this.#choosing.then(() => this.#member?.leave(options)),
        options.signal,
      )
    } finally {
      await this[Symbol.asyncDispose]()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isDisposed) return
    this.#isDisposed = true
    this.#closing.abort(new Error('the member is gone'))
    this.#topics[Symbol.dispose]()
    await this.#heart[Symbol.asyncDispose]()
  }

  async #choose(): Promise<void> {
    const { cluster, settings, owner } = this.#options
    const { signal } = this.#closing
    try {
      this.#begin(await chooseProtocol(settings.groupId, { cluster, settings, signal }))
    } catch (error) {
      if (!signal.aborted) owner.failed(error as Error)
    }
  }

  #begin(chosen: GroupProtocol): void {
    this.#chosen = chosen
    this.#useTopics()
    const environment = this.#environment()
    const member = chosen.protocol === 'classic' ? new ClassicMember(environment) : new ConsumerMember(environment)
    this.#member = member
    member.start()
  }

  #environment(): MemberEnvironment {
    const { cluster, settings, owner } = this.#options
    return {
      groupId: settings.groupId,
      cluster,
      settings,
      owner,
      heart: this.#heart,
      topics: this.#topics,
      metrics: this.#metrics,
      pattern: () => this.#pattern(),
      asked: (signal) => this.#liveness.asked(signal),
      ended: (error) => this.#ended(error),
    }
  }

  /** For the coordinator to match; null when there is none, or the client has to match it. */
  #pattern(): string | null {
    const { owner, settings } = this.#options
    const { subscription } = owner
    if (!(subscription instanceof RegExp) || this.#chosen?.protocol !== 'consumer' || !this.#chosen.brokerMatches)
      return null
    return brokerPattern(subscription, settings.excludeInternalTopics)
  }

  #useTopics(): void {
    if (this.#chosen === null) return
    this.#topics.use(this.#pattern() === null ? this.#options.owner.subscription : [])
  }

  #heard(event: HeartEvent): void {
    if (event.kind === 'answered') this.#beaten(event.latencyMs)
    if (event.kind === 'poll-exceeded') {
      const { owner, settings } = this.#options
      owner.troubled(this.#liveness.exceeded(event, settings.maxPollIntervalMs))
    }
    this.#member?.heartEvent(event)
  }

  #beaten(latencyMs: number): void {
    this.#metrics.beaten(latencyMs)
    if (!channels.heartbeat.hasSubscribers) return
    const { groupId, memberId } = this.metadata
    channels.heartbeat.publish({ clientId: this.#options.cluster.settings.clientId, groupId, memberId, latencyMs })
  }

  #ended(error: Error): void {
    if (this.#closing.signal.aborted) return
    const instead = this.#insteadAfter(error)
    if (instead === null) this.#options.owner.failed(error)
    else this.#choosing = this.#change(instead, error)
  }

  /** What can still be done; null when it is over. */
  #insteadAfter(error: Error): GroupProtocol | null {
    const { settings } = this.#options
    if (!(error instanceof KafkaError) || this.#chosen?.protocol !== 'consumer') return null
    if (this.#pattern() !== null) {
      // A coordinator that is older than the one asked at first, or that reads the pattern in another way.
      const isOverPattern =
        error.code === ErrorCode.INVALID_REGULAR_EXPRESSION || error.code === ErrorCode.UNSUPPORTED_VERSION
      if (isOverPattern) return { protocol: 'consumer', brokerMatches: false }
    }
    if (settings.groupProtocol !== 'auto') return null
    // GROUP_ID_NOT_FOUND: the group is a classic one with members, which the broker does not convert.
    const isOverProtocol = error.code === ErrorCode.UNSUPPORTED_VERSION || error.code === ErrorCode.GROUP_ID_NOT_FOUND
    return isOverProtocol ? { protocol: 'classic' } : null
  }

  async #change(instead: GroupProtocol, error: Error): Promise<void> {
    const { cluster, settings, owner } = this.#options
    cluster.settings.logger.info('the coordinator does not do what was asked first: another way', {
      groupId: settings.groupId,
      instead,
      error,
    })
    try {
      // Nothing is left but to give up what it had.
      await this.#member?.leave({ leaveGroup: false, signal: this.#closing.signal })
      this.#member = null
      if (!this.#closing.signal.aborted) this.#begin(instead)
    } catch (failure) {
      if (!this.#closing.signal.aborted) owner.failed(failure as Error)
    }
  }
}
