/**
 * The consumer's side of its group: what happens to positions, records and commits when partitions come and go. Each change happens while nothing is
 * given out, and when nothing that it takes away is in the application's hands.
 */
import type { Timer } from '@millrace/runtime'
import type { Cluster } from '../cluster/cluster.ts'
import { channels } from '../observe/channels.ts'
import type { TopicPartition } from '../record.ts'
import type { Commits } from './commits/commits.ts'
import type { MembershipOwner, Subscription } from './membership.ts'
import type { ConsumerSettings } from './options.ts'
import type { Assignment } from './positions/assignment.ts'
import type { PartitionSource } from './reading/partition-source.ts'
import type { RebalanceListener } from './rebalance-listener.ts'
import type { RecordReader } from './record-source.ts'

export interface RebalancesOptions<K, V> {
  readonly cluster: Cluster
  readonly settings: ConsumerSettings
  readonly assignment: Assignment<K, V>
  readonly source: PartitionSource<K, V>
  /** Null without automatic commits. */
  readonly automaticCommits: Commits<K, V> | null
  /** Null without a group. */
  readonly commits: Commits<K, V> | null
  readonly subscription: () => Subscription
  readonly listener: () => RebalanceListener | null
  /** Makes partitions ours, withheld from reading as yet. */
  readonly add: (partitions: readonly TopicPartition[]) => void
  /** Partitions may be read. */
  readonly onReadable: () => void
  /** The listener has returned. */
  readonly onListened: (event: RebalanceEvent, durationMs: number) => void
  readonly onTrouble: (error: Error) => void
  readonly onFailure: (error: Error) => void
}

/** How long what is in the application's hands may take. */
interface Patience {
  readonly loopMs: number
  readonly handlerMs: number
}

export type RebalanceEvent = 'assigned' | 'revoked' | 'lost'

export class Rebalances<K, V> implements MembershipOwner {
  readonly #options: RebalancesOptions<K, V>
  /** Set while the consumer closes: how long what is in hand may take. */
  #patience: Patience | null = null
  /** Of what is waited for now. */
  #onHurry: (() => void) | null = null

  constructor(options: RebalancesOptions<K, V>) {
    this.#options = options
  }

  get subscription(): Subscription {
    return this.#options.subscription()
  }

  /** From now on what is in hand is not waited for longer than this. */
  hurry(patience: Patience): void {
    this.#patience = patience
    this.#onHurry?.()
  }

  /** Back to waiting as long as it takes. */
  calmDown(): void {
    this.#patience = null
  }

  /** Partitions by `assign` are given up: as `revoked`, without telling the listener. */
  async dismissed(partitions: readonly TopicPartition[]): Promise<void> {
    await this.#giveUp(partitions, 'dismissed')
  }

  async revoked(partitions: readonly TopicPartition[]): Promise<void> {
    await this.#giveUp(partitions, 'revoked')
  }

  async lost(partitions: readonly TopicPartition[]): Promise<void> {
    await this.#giveUp(partitions, 'lost')
  }

  async assigned(partitions: readonly TopicPartition[]): Promise<void> {
    if (partitions.length === 0) return
    const { assignment, add, listener, onReadable } = this.#options
    await this.#whenOutOfHands([], 'assigned', async () => {
      add(partitions)
      const told = listener()
      if (told?.onAssigned !== undefined) await this.#call('assigned', () => told.onAssigned?.(partitions))
      this.#publish('assigned', partitions)
      for (const partition of partitions) {
        const found = assignment.get(partition)
        if (found !== undefined) found.isWithheld = false
      }
    })
    onReadable()
  }

  troubled(error: Error): void {
    this.#options.onTrouble(error)
  }

  failed(error: Error): void {
    this.#options.onFailure(error)
  }

  async #giveUp(partitions: readonly TopicPartition[], event: 'revoked' | 'lost' | 'dismissed'): Promise<void> {
    if (partitions.length === 0) return
    const { assignment, automaticCommits, commits, settings, listener } = this.#options
    for (const partition of partitions) {
      const found = assignment.get(partition)
      if (found !== undefined) found.isWithheld = true
    }
    await this.#whenOutOfHands(partitions, event, async () => {
      const timeoutMs = Math.min(
        settings.maxPollIntervalMs,
        settings.defaultApiTimeoutMs,
        this.#patience?.handlerMs ?? Infinity,
      )
      if (event !== 'lost') await automaticCommits?.commitBeforeLeaving(partitions, { timeoutMs })
      if (event !== 'dismissed') {
        const told = listener()
        const isLost = event === 'lost' && told?.onLost !== undefined
        if (isLost) await this.#call('lost', () => told.onLost?.(partitions))
        else if (told?.onRevoked !== undefined) await this.#call('revoked', () => told.onRevoked?.(partitions))
        this.#publish(event, partitions)
      }
      // Those without waiting would be refused once the partitions are given up.
      if (event !== 'lost') await commits?.settled({ timeoutMs })
      for (const partition of partitions) {
        const found = assignment.get(partition)
        if (found !== undefined) assignment.remove(found)
      }
      // Had it not let go in time, what it has would be counted in the next assignment of the same partitions.
      this.#options.source.reader?.moved(partitions)
    })
  }

  /**
   * Does `work` while nothing is given out. A loop is given nothing from now on: when it lets go of what it has, it asks for the next at once. Handlers of
   * other partitions go on until then.
   */
  async #whenOutOfHands(
    partitions: readonly TopicPartition[],
    event: RebalanceEvent | 'dismissed',
    work: () => Promise<void>,
  ) {
    const { source } = this.#options
    if (isLoop(source.reader)) {
      await source.withGateClosed(async () => {
        await this.#outOfHands(partitions, event === 'lost')
        await work()
      })
      return
    }
    await this.#outOfHands(partitions, event === 'lost')
    await source.withGateClosed(work)
  }

  /** Resolves when the application has nothing of them any more; a loop, when it has nothing at all. At the latest after maxPollIntervalMs. */
  async #outOfHands(partitions: readonly TopicPartition[], isLost: boolean): Promise<void> {
    const { source, cluster, settings } = this.#options
    const { reader } = source
    if (reader === null) return
    if (partitions.length === 0 && !isLoop(reader)) return
    // A loop that was left does not ask for more.
    if (this.#patience !== null && source.isLeft) return
    const { promise: timeout, resolve } = Promise.withResolvers<void>()
    let timer: Timer | null = null
    const limit = (): void => {
      timer?.cancel()
      const patience = this.#patience
      if (patience !== null && source.isLeft) resolve()
      const patienceMs = isLoop(reader) ? patience?.loopMs : patience?.handlerMs
      timer = cluster.world.clock.after(patienceMs ?? settings.maxPollIntervalMs, resolve)
    }
    limit()
    this.#onHurry = limit
    try {
      await Promise.race([isLost ? reader.lost(partitions) : reader.revoked(partitions), timeout])
    } catch (error) {
      this.#options.onTrouble(error as Error)
    } finally {
      this.#onHurry = null
      ;(timer as Timer | null)?.cancel()
    }
  }

  /** A listener that throws ends the consumer, as its own state may be anything then. */
  async #call(event: RebalanceEvent, listener: () => void | Promise<void>): Promise<void> {
    const { cluster, onListened, onFailure } = this.#options
    const { clock } = cluster.world
    const begunAtMs = clock.monotonicMs()
    try {
      await listener()
    } catch (error) {
      onFailure(error as Error)
    }
    onListened(event, clock.monotonicMs() - begunAtMs)
  }

  #publish(event: RebalanceEvent, partitions: readonly TopicPartition[]): void {
    const { settings, cluster } = this.#options
    if (!channels.rebalance.hasSubscribers || settings.groupId === null) return
    const { clientId } = cluster.settings
    channels.rebalance.publish({ clientId, groupId: settings.groupId, event, partitions })
  }
}

function isLoop(reader: RecordReader | null): boolean {
  return reader?.succeeded !== undefined
}
