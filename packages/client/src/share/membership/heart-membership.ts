/** A place in a share group (KIP-932), kept by a heart: on a thread of its own, so that a handler that burns CPU does not cost it. */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { Cluster } from '../../cluster/cluster.ts'
import { abortable } from '../../cluster/connections.ts'
import type { Heart, HeartbeatHost, HeartEvent, ShareVitals } from '../../groups/heartbeats/heart.ts'
import { Liveness } from '../../groups/liveness.ts'
import { newMemberId } from '../../groups/new-member-id.ts'
import type { ShareConsumerSettings } from '../options.ts'
import type { ShareGroupMetrics } from './share-group-metrics.ts'
import type { ShareMembership, ShareMembershipOwner } from './share-membership.ts'

const JOINING = 0

export interface HeartMembershipOptions {
  readonly cluster: Cluster
  readonly settings: ShareConsumerSettings
  readonly owner: ShareMembershipOwner
  readonly heartbeats: HeartbeatHost
  readonly metrics: ShareGroupMetrics
}

export class HeartMembership implements ShareMembership {
  readonly memberId: string
  readonly #options: HeartMembershipOptions
  readonly #liveness = new Liveness()
  readonly #heart: Heart
  readonly #ending = new AbortController()
  #epoch = JOINING
  /** The coordinator may have this member: it has been asked to, and has not said since that it has not. */
  #mayBeKnown = false

  constructor(options: HeartMembershipOptions) {
    this.#options = options
    const { cluster, settings, heartbeats } = options
    this.memberId = newMemberId(cluster.world.random)
    this.#heart = heartbeats.open({
      settings: cluster.settings,
      world: cluster.world,
      plan: {
        groupId: settings.groupId,
        groupInstanceId: null,
        maxPollIntervalMs: settings.maxPollIntervalMs,
        pollMemory: this.#liveness.memory,
      },
      listener: (event) => this.#heard(event),
    })
  }

  join(): void {
    this.#mayBeKnown = true
    this.#heart.beat(this.#vitals())
  }

  subscriptionChanged(): void {
    this.#heart.update(this.#vitals())
  }

  polled(): void {
    this.#liveness.polled()
  }

  waiting(): void {
    this.#liveness.waiting()
  }

  async leave({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const { settings } = this.#options
    this.#ending.abort(new Error('the consumer is being closed'))
    if (!this.#mayBeKnown) return this.#heart.stop()
    const left = this.#heart.leave({
      memberId: this.memberId,
      protocol: 'share',
      reason: 'the consumer is being closed',
      isForGood: true,
      timeoutMs: settings.requestTimeoutMs,
    })
    await abortable(left, signal)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort(new Error('the consumer is closed'))
    await this.#heart[Symbol.asyncDispose]()
  }

  #heard(event: HeartEvent): void {
    const { owner, settings, metrics } = this.#options
    switch (event.kind) {
      case 'answered':
        metrics.beaten(event.latencyMs)
        break
      case 'epoch':
        this.#epoch = event.memberEpoch
        if (event.assignment === null) break
        metrics.rebalanced()
        owner.assigned(
          event.assignment.flatMap(({ topicId, partitions }) =>
            partitions.map((partition) => ({ topicId, partition })),
          ),
        )
        break
      case 'troubled':
        owner.troubled(new KafkaError(event.code, event.message))
        break
      case 'refused':
        if (isForgotten(event.code, this.#epoch)) {
          this.#begin()
          this.join()
        } else {
          this.#mayBeKnown = false
          owner.failed(failure(event))
        }
        break
      case 'failed':
        this.#mayBeKnown = false
        owner.failed(failure(event))
        break
      case 'poll-exceeded':
        owner.troubled(this.#liveness.exceeded(event, settings.maxPollIntervalMs))
        this.#begin()
        this.#liveness.asked(this.#ending.signal).then(
          () => this.join(),
          () => {},
        )
        break
    }
  }

  /** The coordinator does not know this member (any more). */
  #begin(): void {
    this.#epoch = JOINING
    this.#mayBeKnown = false
    this.#options.owner.assigned([])
  }

  #vitals(): ShareVitals {
    const { settings, owner } = this.#options
    return {
      protocol: 'share',
      memberId: this.memberId,
      memberEpoch: JOINING,
      rackId: settings.clientRack === '' ? null : settings.clientRack,
      topics: owner.subscription,
    }
  }
}

/** The coordinator does not know the member, or its whole group: to one who joins, the latter means that there is a group of another type. */
function isForgotten(code: number, epoch: number): boolean {
  if (code === ErrorCode.GROUP_ID_NOT_FOUND) return epoch > JOINING
  return code === ErrorCode.UNKNOWN_MEMBER_ID || code === ErrorCode.FENCED_MEMBER_EPOCH
}

function failure({ code, message }: { readonly code: number; readonly message: string }): KafkaError {
  const told = new KafkaError(code, message)
  if (code !== ErrorCode.UNSUPPORTED_VERSION) return told
  return new KafkaError(
    code,
    'the brokers have no share groups: these need Apache Kafka 4.2 (or 4.1 with the feature share.version=1 enabled)',
    { cause: told },
  )
}
