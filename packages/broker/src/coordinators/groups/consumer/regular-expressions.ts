/**
 * The regular expressions that members subscribe with: when they are looked up, and what comes of it. A member waits for nobody: it joins at
 * once, and gets its partitions when the expression is resolved. Source: Kafka's GroupMetadataManager.maybeUpdateRegularExpressions.
 */
import { KafkaError } from '@millrace/protocol'
import type { MetadataImage } from '../../../metadata/image.ts'
import type { ShardContext } from '../../runtime/coordinator-shard.ts'
import { answer, type CoordinatorRecord, type Decision } from '../../runtime/decision.ts'
import type { GroupClient } from '../group-part.ts'
import type { Groups } from '../groups.ts'
import type { TopicHashes } from '../topic-hashes.ts'
import type { ConsumerGroup } from './consumer-group.ts'
import { isSameSet, type ConsumerMember } from './consumer-member.ts'
import { groupEpochRecord, regexRecord, regexTombstone } from './consumer-records.ts'
import type { ConsumerSettings } from './consumer-settings.ts'
import { loadRegexEngine, type RegexEngine } from './regex-engine.ts'
import { resolveRegexes } from './resolve-regexes.ts'
import type { ResolvedRegex } from './subscriptions.ts'

/** However many members come with new expressions, a group's are looked up this often at most. */
const shortestRefreshIntervalMs = 10_000

/**
 * Unchanged; changed; or changed to what is known already, so that a new assignment can be made now. Otherwise that waits until the new
 * expression is resolved.
 */
export type RegexChange = 'none' | 'unresolved' | 'resolved'

export interface RegularExpressionsOptions {
  readonly shard: ShardContext
  readonly groups: Groups
  readonly settings: ConsumerSettings
  readonly hashes: TopicHashes
  readonly mayDescribe: (client: GroupClient, topic: string) => boolean
}

export class RegularExpressions {
  readonly #options: RegularExpressionsOptions
  /** Ids of groups whose expressions are being looked up. */
  readonly #underWay = new Set<string>()
  #isClosed = false
  /** Version of the newest image that has topics which the one before had not. */
  #newTopicsVersion = 0
  #image: MetadataImage | null = null

  constructor(options: RegularExpressionsOptions) {
    this.#options = options
  }

  close(): void {
    this.#isClosed = true
  }

  metadataChanged(image: MetadataImage, changedTopics: ReadonlySet<string> | null): void {
    const previous = this.#image
    this.#image = image
    const isNew = (name: string): boolean =>
      image.topics.has(name) && image.topics.get(name)!.id !== previous?.topics.get(name)?.id
    if (changedTopics === null || [...changedTopics].some(isNew)) this.#newTopicsVersion = image.version
  }

  /**
   * What a changed member does to the expressions of its group; looks them up if it is time to.
   * @throws KafkaError INVALID_REGULAR_EXPRESSION.
   */
  update(
    group: ConsumerGroup,
    before: ConsumerMember,
    after: ConsumerMember,
    { client, engine, records }: { client: GroupClient; engine: RegexEngine | null; records: CoordinatorRecord[] },
  ): RegexChange {
    const { subscriptions } = group
    const [old, current] = [before.subscribedRegex, after.subscribedRegex]
    let change: RegexChange = 'none'
    let isNew = false
    if (old !== current) {
      change = 'unresolved'
      if (old !== '' && subscriptions.subscribersOf(old) === 1) records.push(regexTombstone(group.id, old))
      if (current === '' || (subscriptions.subscribersOf(current) > 0 && subscriptions.resolved.has(current)))
        change = 'resolved'
      else if (subscriptions.subscribersOf(current) === 0) {
        if (engine === null) throw new Error('a regular expression has come before the engine was loaded')
        engine.compile(current)
        isNew = true
      }
    }
    this.#refreshIfDue(group, before, after, { client, isNew })
    return change
  }

  #refreshIfDue(
    group: ConsumerGroup,
    before: ConsumerMember,
    after: ConsumerMember,
    { client, isNew }: { client: GroupClient; isNew: boolean },
  ): void {
    const { subscriptions } = group
    if (!isNew && subscriptions.regexes.size === 0) return
    if (this.#underWay.has(group.id)) return
    const { shard, settings } = this.#options
    const nowMs = shard.clock.now()
    const refreshedMs = subscriptions.resolved.values().next().value?.timestampMs ?? Number.NEGATIVE_INFINITY
    // Not when the clock was set back: until it is again what it was, nobody with a new expression would get anything.
    if (nowMs >= refreshedMs && nowMs <= refreshedMs + shortestRefreshIntervalMs) return
    const regexes = subscriptions.regexesAfter(before, after)
    const isDue =
      isNew ||
      regexes.length !== subscriptions.resolved.size ||
      group.regexesResolvedAt < this.#newTopicsVersion ||
      nowMs > refreshedMs + settings.regexRefreshIntervalMs
    if (isDue && regexes.length > 0) void this.#refresh(group.id, regexes, client)
  }

  async #refresh(groupId: string, regexes: readonly string[], client: GroupClient): Promise<void> {
    const { shard, mayDescribe } = this.#options
    this.#underWay.add(groupId)
    try {
      const engine = await loadRegexEngine()
      const { image } = shard
      const resolved = await resolveRegexes({
        regexes,
        engine,
        image,
        clock: shard.clock,
        mayDescribe: (topic) => mayDescribe(client, topic),
      })
      if (!this.#isClosed) await shard.write(() => this.#resolved(groupId, resolved, image.version))
    } catch (error) {
      if (this.#isClosed) return
      // The next heartbeat tries again.
      if (error instanceof KafkaError)
        shard.logger.warn('regular expressions were not resolved', { group: groupId, error })
      else shard.logger.error('regular expressions cannot be resolved', { group: groupId, error })
    } finally {
      this.#underWay.delete(groupId)
    }
  }

  #resolved(groupId: string, resolved: ReadonlyMap<string, ResolvedRegex>, imageVersion: number): Decision<void> {
    const { shard, groups, hashes } = this.#options
    const found = groups.get(groupId)
    if (found?.type !== 'consumer') return answer(undefined)
    const group = found as ConsumerGroup
    const next = group.subscriptions.copy()
    const records: CoordinatorRecord[] = []
    let hasChanged = false
    for (const [regex, current] of resolved) {
      // Nobody subscribes to it any more.
      if (group.subscriptions.subscribersOf(regex) === 0) continue
      const before = group.subscriptions.resolved.get(regex)
      if (!isSameSet(before?.topics ?? new Set(), current.topics)) {
        hasChanged = true
        next.resolve(regex, current)
      }
      records.push(regexRecord(groupId, regex, current))
    }
    const metadataHash = hashes.ofTopics(next.topics, shard.image)
    if (hasChanged || metadataHash !== group.metadataHash) {
      const epoch = group.epoch + 1
      records.push(groupEpochRecord(groupId, epoch, metadataHash))
      group.metadataRefreshed(epoch)
      shard.logger.info('regular expressions stand for other topics', { group: groupId, epoch })
    }
    return {
      records,
      response: undefined,
      settled: (error) => {
        if (error === null) group.regexesResolvedAt = imageVersion
      },
    }
  }
}
