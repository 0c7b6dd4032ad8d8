/**
 * Gives partitions that have no position one, and checks positions that a new leader puts in doubt. Everything happens in the background, each partition
 * on its own; an answer counts only if its partition is still in the generation and the phase that the question came from.
 */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import { backoffMs } from '../../cluster/backoff.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import type { TopicPartition } from '../../record.ts'
import { epochEnds, type EpochEnd } from '../offsets/epoch-ends.ts'
import type { GroupOffsets } from '../offsets/group-offsets.ts'
import { EARLIEST, isPassing, LATEST, listOffsets, type FoundOffset } from '../offsets/list-offsets.ts'
import type { ConsumerSettings } from '../options.ts'
import { WakeTimer } from '../../wake-timer.ts'
import type { AssignedPartition } from './assigned-partition.ts'
import type { Assignment } from './assignment.ts'
import { resetTarget } from './reset-policy.ts'

export interface PositionFinderOptions<K, V> {
  readonly cluster: Cluster
  readonly settings: ConsumerSettings
  readonly assignment: Assignment<K, V>
  /** Null without a group. */
  readonly groupOffsets: GroupOffsets | null
  readonly signal: AbortSignal
  /** Topics of this consumer's own, of which nothing may be passed over, whatever `offsetReset` says of others. */
  readonly beginsAtStart: (topic: string) => boolean
  /** Has the reader tell what is handled. */
  readonly report: () => void
  /** Reading goes on elsewhere: what the reader has in hand of the partition does not count any more. */
  readonly onMoved: (partition: AssignedPartition<K, V>) => void
  /** A partition can be read, or read again. */
  readonly onPosition: () => void
  /** For whoever reads next, unless reading goes on elsewhere in the partition before that. */
  readonly onError: (error: Error, about: AssignedPartition<K, V> | null) => void
  /** Something the application should know of, though reading goes on. */
  readonly onTrouble: (error: Error) => void
}

/** A question about a partition, as it stood when it was asked. */
interface Asked<K, V> extends TopicPartition {
  readonly of: AssignedPartition<K, V>
  readonly generation: number
}

export class PositionFinder<K, V> {
  readonly #options: PositionFinderOptions<K, V>
  /** With a question under way. */
  readonly #busy = new Set<AssignedPartition<K, V>>()
  readonly #timer: WakeTimer

  constructor(options: PositionFinderOptions<K, V>) {
    this.#options = options
    this.#timer = new WakeTimer(options.cluster.world.clock, () => this.wake())
  }

  /** Something may be to do: partitions came, a position was dropped, leaders are known. */
  wake(): void {
    if (this.#options.signal.aborted) return
    const nowMs = this.#nowMs()
    const unset: AssignedPartition<K, V>[] = []
    const resetting: AssignedPartition<K, V>[] = []
    const validating: AssignedPartition<K, V>[] = []
    for (const partition of this.#options.assignment) {
      if (partition.phase === 'reading' || this.#busy.has(partition)) continue
      if (partition.retryAtMs > nowMs) this.#timer.at(partition.retryAtMs)
      else if (partition.phase === 'unset') unset.push(partition)
      else if (partition.leader.id < 0) continue
      else if (partition.phase === 'resetting') resetting.push(partition)
      else validating.push(partition)
    }
    if (unset.length > 0) void this.#begin(unset)
    for (const [nodeId, ofNode] of Map.groupBy(resetting, ({ leader }) => leader.id)) void this.#reset(nodeId, ofNode)
    for (const [nodeId, ofNode] of Map.groupBy(validating, ({ leader }) => leader.id))
      void this.#validate(nodeId, ofNode)
  }

  /** The offset to fetch is not in the log. */
  outOfRange(partition: AssignedPartition<K, V>): void {
    const { topic, partition: number, position } = partition
    this.#start(partition, `offset ${position?.offset} of ${topic}-${number} is not in the log any more, or not yet`)
    this.wake()
  }

  /** Where the log is another one than that which was read. */
  diverged(partition: AssignedPartition<K, V>, end: EpochEnd): void {
    this.#truncated(partition, end)
    this.wake()
  }

  /** The topic was deleted and another made under its name: offsets of the one mean nothing in the other. */
  recreated(partition: AssignedPartition<K, V>): void {
    const what = `${partition.topic} was deleted and made anew`
    this.#start(partition, what)
    if (this.#options.settings.offsetReset !== 'none')
      this.#options.onTrouble(new KafkaError(ErrorCode.UNKNOWN_TOPIC_ID, `${what}: reading begins anew by offsetReset`))
    this.wake()
  }

  /** From committed offsets, where the group has them. */
  async #begin(partitions: readonly AssignedPartition<K, V>[]): Promise<void> {
    const { groupOffsets, signal } = this.#options
    if (groupOffsets === null) {
      for (const partition of partitions) this.#start(partition, noOffset(partition, 'nothing is committed'))
      this.wake()
      return
    }
    await this.#ask(partitions, async (asked) => {
      const committed = await groupOffsets.fetch(asked, signal)
      // Of these the coordinator said nothing.
      for (const question of asked) if (!committed.has(question)) this.#postpone(question.of)
      for (const [question, offset] of committed) {
        const { of } = question as Asked<K, V>
        if (!isCurrent(question as Asked<K, V>, 'unset')) continue
        of.failures = 0
        if (offset === null) this.#start(of, noOffset(of, 'the group has committed none'))
        else {
          of.moveTo({ offset: offset.offset, leaderEpoch: offset.leaderEpoch ?? -1 })
          of.committedOffset = offset.offset
        }
      }
    })
  }

  /** By the policy; without one the application is told, again with each attempt to read, until it seeks. */
  #start(partition: AssignedPartition<K, V>, reason: string): void {
    const { settings, cluster, beginsAtStart, onMoved } = this.#options
    const policy = beginsAtStart(partition.topic) ? 'earliest' : settings.offsetReset
    const target = resetTarget(policy, cluster.world.clock.now())
    if (target !== null) {
      partition.resetTo(target)
      onMoved(partition)
      return
    }
    this.#postpone(partition)
    this.#options.onError(
      new KafkaError(
        ErrorCode.OFFSET_OUT_OF_RANGE,
        `${reason}, and offsetReset is 'none': seek to where reading shall begin, or choose 'earliest' or 'latest'`,
      ),
      partition,
    )
  }

  async #reset(nodeId: number, partitions: readonly AssignedPartition<K, V>[]): Promise<void> {
    const { cluster, settings, signal } = this.#options
    await this.#ask(partitions, async (asked) => {
      const searches = asked.map((question) => ({
        ...question,
        timestamp: searchFor(question.of),
        leaderEpoch: question.of.leader.epoch,
      }))
      const found = await listOffsets(searches, {
        cluster,
        nodeId,
        isolationLevel: settings.isolationLevel,
        signal,
      })
      for (const search of searches) {
        if (!isCurrent(search, 'resetting')) continue
        this.#found(search.of, found.get(search))
      }
    })
  }

  #found(partition: AssignedPartition<K, V>, found: FoundOffset | KafkaError | undefined): void {
    if (found === undefined || found instanceof KafkaError) {
      this.#postpone(partition)
      if (found !== undefined && !isPassing(found)) this.#options.onError(found, partition)
      this.#options.cluster.metadata.refreshSoon()
    } else if (found.offset < 0n) {
      // Nothing is that young: what comes next will be.
      partition.resetTo('end')
    } else {
      partition.failures = 0
      partition.moveTo({ offset: found.offset, leaderEpoch: -1 })
    }
  }

  async #validate(nodeId: number, partitions: readonly AssignedPartition<K, V>[]): Promise<void> {
    const { cluster, signal } = this.#options
    await this.#ask(partitions, async (asked) => {
      const questions = asked.map((question) => ({
        ...question,
        place: question.of.fetchPlace,
        leader: question.of.leader,
        currentLeaderEpoch: question.of.leader.epoch,
        leaderEpoch: question.of.fetchPlace.leaderEpoch,
      }))
      const ends = await epochEnds(questions, { cluster, nodeId, signal })
      if (ends === null) {
        // A broker too old to tell is trusted, as in Kafka's own clients.
        for (const question of questions) if (isCurrent(question, 'validating')) question.of.validated()
        return
      }
      for (const question of questions) {
        const { of, place, leader } = question
        if (!isCurrent(question, 'validating') || of.fetchPlace !== place || of.leader !== leader) continue
        const end = ends.get(question)
        if (end === undefined || end instanceof KafkaError) {
          this.#postpone(of)
          if (end?.code === ErrorCode.TOPIC_AUTHORIZATION_FAILED) this.#options.onError(end, of)
          cluster.metadata.refreshSoon()
        } else if (end.leaderEpoch < 0 || end.endOffset < 0n || end.endOffset < place.offset) {
          this.#truncated(of, end)
        } else {
          of.failures = 0
          of.validated()
        }
      }
    })
  }

  /**
   * The log ends, or took another course, before the place to fetch from. First what was only prefetched is given up; if the position itself is
   * beyond, reading goes on where the logs part (with a policy to reset by, as Kafka has it), and the application is told.
   */
  #truncated(partition: AssignedPartition<K, V>, end: EpochEnd): void {
    const { topic, partition: number, position, fetchPlace } = partition
    if (position === null) return
    if (position.offset < fetchPlace.offset) {
      partition.dropPrefetched()
      return
    }
    const isKnown = end.leaderEpoch >= 0 && end.endOffset >= 0n
    const what =
      `${topic}-${number} was truncated: the log does not hold offset ${position.offset} of epoch ${position.leaderEpoch} any more` +
      (isKnown ? `, it parts from what was read at ${end.endOffset}` : '')
    const { settings, report, onMoved } = this.#options
    const { offsetReset } = settings
    if (offsetReset === 'none' || !isKnown) this.#start(partition, what)
    else {
      // What the application has in hand and the log still holds is given to it again.
      report()
      const { handled } = partition
      const isBehind = handled !== null && handled.offset < end.endOffset
      partition.moveTo(isBehind ? handled : { offset: end.endOffset, leaderEpoch: end.leaderEpoch })
      onMoved(partition)
    }
    if (offsetReset !== 'none') this.#options.onTrouble(new KafkaError(ErrorCode.OFFSET_OUT_OF_RANGE, what))
  }

  /** Runs `attempt` for the partitions, and again later for those that it leaves without position by throwing. */
  async #ask(
    partitions: readonly AssignedPartition<K, V>[],
    attempt: (asked: readonly Asked<K, V>[]) => Promise<void>,
  ): Promise<void> {
    const { signal, cluster, onError, onPosition } = this.#options
    for (const partition of partitions) this.#busy.add(partition)
    try {
      await attempt(
        partitions.map((of) => ({ of, generation: of.generation, topic: of.topic, partition: of.partition })),
      )
    } catch (error) {
      if (!signal.aborted) {
        for (const partition of partitions) this.#postpone(partition)
        if (error instanceof KafkaError && error.retriable) cluster.metadata.refreshSoon()
        else onError(error as Error, null)
      }
    } finally {
      for (const partition of partitions) this.#busy.delete(partition)
    }
    onPosition()
    this.wake()
  }

  #postpone(partition: AssignedPartition<K, V>): void {
    const { retryBackoffMs, retryBackoffMaxMs } = this.#options.settings
    partition.failures++
    partition.retryAtMs =
      this.#nowMs() +
      backoffMs(partition.failures, {
        initialMs: retryBackoffMs,
        maxMs: retryBackoffMaxMs,
        random: this.#options.cluster.world.random,
      })
  }

  #nowMs(): number {
    return this.#options.cluster.world.clock.monotonicMs()
  }
}

function isCurrent<K, V>({ of, generation }: Asked<K, V>, phase: AssignedPartition<K, V>['phase']): boolean {
  return !of.isGone && of.generation === generation && of.phase === phase
}

function searchFor<K, V>({ resetTarget: target }: AssignedPartition<K, V>): bigint {
  if (target === 'beginning') return EARLIEST
  return target === null || target === 'end' ? LATEST : target.timestamp
}

function noOffset({ topic, partition }: TopicPartition, why: string): string {
  return `there is no offset to begin ${topic}-${partition} at: ${why}`
}
