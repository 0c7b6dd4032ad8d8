/**
 * The single writer of the cluster's metadata, as the broker's request handlers see it. Works while this broker is the active controller;
 * otherwise every operation fails with NOT_CONTROLLER, and clients turn to the broker that Metadata names.
 *
 * An operation resolves when it is durable and visible in this broker's metadata cache.
 */
import { createNode, deleteNode, setNode } from '@millrace/coordination'
import type { Operation } from '@millrace/coordination'
import { ErrorCode, KafkaError, ZERO_UUID } from '@millrace/protocol'
import { TimeSlice } from '@millrace/runtime'
import { FeaturesImage } from '../metadata/features.ts'
import type { ConfigEntityKey, ConfigEntityType, ConfigEntries, MetadataImage, TopicImage } from '../metadata/image.ts'
import { ClusterMember } from './cluster-member.ts'
import type { ClusterMemberOptions, Term } from './cluster-member.ts'
import { assertCreatableTogether, planPartitions, planTopic } from './create-topics.ts'
import type { CreationContext, NewPartitions, NewTopic } from './create-topics.ts'
import { countSelectors, selectTopic } from './delete-topics.ts'
import type { TopicOutcome, TopicSelector } from './delete-topics.ts'
import type { MetadataWriter } from './metadata-writer.ts'
import { Outcomes } from './outcomes.ts'
import type { ProducerIdRange } from './producer-ids.ts'
import { partitionsAddition, topicCreation, topicDeletion } from './topic-changes.ts'
import { planLevels } from './update-features.ts'
import type { FeatureUpdate } from './update-features.ts'
import {
  configPath,
  encodeConfig,
  encodeFeatures,
  encodeProducerIdBlock,
  featuresPath,
  producerIdBlockPath,
} from './znodes.ts'
import type { BrokerRegistration } from './znodes.ts'

export type ControllerOptions = ClusterMemberOptions

export interface ChangeOptions {
  readonly validateOnly: boolean
  /** How long to wait; what is not done by then is answered with REQUEST_TIMED_OUT and goes on. */
  readonly timeoutMs: number
}

export interface CreatedTopic {
  readonly name: string
  readonly errorCode: number
  readonly errorMessage: string | null
  /** The rest is only of meaning without an error. The zero id when only validated. */
  readonly topicId: string
  readonly numPartitions: number
  readonly replicationFactor: number
  readonly configs: ConfigEntries
}

export interface ExtendedTopic {
  readonly name: string
  readonly errorCode: number
  readonly errorMessage: string | null
}

/** Entities whose configuration `alterConfigs` writes. */
export interface ConfigEntity {
  readonly type: Exclude<ConfigEntityType, 'users'>
  /** '' is the default entity. */
  readonly name: string
}

const PRODUCER_ID_BLOCK_LENGTH = 1000
const LAST_PRODUCER_ID = (1n << 63n) - 1n
const NO_CONFIGS: ConfigEntries = new Map()

export class Controller implements AsyncDisposable {
  readonly #options: ControllerOptions
  readonly #member: ClusterMember

  /**
   * Joins the cluster, and becomes its controller if there is none: then the metadata cache holds the cluster as it was left, brokers
   * still missing. Next the owner calls `register`.
   */
  static async open(options: ControllerOptions): Promise<Controller> {
    return new Controller(options, await ClusterMember.open(options))
  }

  private constructor(options: ControllerOptions, member: ClusterMember) {
    this.#options = options
    this.#member = member
  }

  get clusterId(): string {
    return this.#member.clusterId
  }

  get isActive(): boolean {
    return this.#member.term !== null
  }

  /**
   * Makes this broker part of the cluster, reachable at these endpoints: its partitions get their leaders.
   * @throws KafkaError DUPLICATE_BROKER_REGISTRATION when another broker has the id.
   */
  register(registration: BrokerRegistration): Promise<void> {
    return this.#member.register(registration)
  }

  /** One outcome for each name. @throws KafkaError NOT_CONTROLLER. */
  async createTopics(requests: readonly NewTopic[], options: ChangeOptions): Promise<CreatedTopic[]> {
    const context: CreationContext = { ...this.#options, writer: this.#term().writer }
    const slice = new TimeSlice(this.#options.clock)
    const outcomes = this.#outcomes<string, CreatedTopic>(options, notCreated)
    const { unique, repeated } = await onceNamed(requests, slice)
    try {
      assertCreatableTogether(unique, this.#options.settings)
    } catch (error) {
      for (const { name } of unique) outcomes.fail(name, error)
      for (const name of repeated) outcomes.fail(name, error)
      return outcomes.all()
    }
    for (const request of unique) {
      if (slice.isOver) await slice.next()
      outcomes.attempt(request.name, () => createTopic(request, context, options.validateOnly))
    }
    for (const name of repeated) outcomes.fail(name, duplicateName())
    return outcomes.all()
  }

  /** One outcome for each name. @throws KafkaError NOT_CONTROLLER. */
  async createPartitions(requests: readonly NewPartitions[], options: ChangeOptions): Promise<ExtendedTopic[]> {
    const context: CreationContext = { ...this.#options, writer: this.#term().writer }
    const slice = new TimeSlice(this.#options.clock)
    const outcomes = this.#outcomes<string, ExtendedTopic>(options, notExtended)
    const { unique, repeated } = await onceNamed(requests, slice)
    for (const name of repeated) outcomes.fail(name, duplicateName())
    for (const request of unique) {
      if (slice.isOver) await slice.next()
      outcomes.attempt(request.name, () => extendTopic(request, context, options.validateOnly))
    }
    return outcomes.all()
  }

  /** One outcome for each name and each id. @throws KafkaError NOT_CONTROLLER. */
  async deleteTopics(
    selectors: readonly TopicSelector[],
    options: { readonly timeoutMs: number },
  ): Promise<TopicOutcome[]> {
    const { writer } = this.#term()
    const slice = new TimeSlice(this.#options.clock)
    const outcomes = this.#outcomes<TopicSelector, TopicOutcome>(options, notDeleted)
    const selection = await countSelectors(selectors, slice)
    const seen = new Set<string>()
    for (const selector of selectors) {
      if (slice.isOver) await slice.next()
      const key = `${selector.topicId}${selector.name ?? ''}`
      if (seen.has(key)) continue
      seen.add(key)
      const selected = selectTopic(selector, selection, writer.draft)
      if (selected.kind === 'answer') {
        outcomes.add(selector, selected.outcome)
        continue
      }
      const { topic } = selected
      outcomes.attempt({ name: topic.name, topicId: topic.id }, () => deleteTopic(topic, writer))
    }
    return outcomes.all()
  }

  /**
   * Replaces an entity's configuration by what `decide` makes of the present one; all of it is one step, so no other change comes in between.
   * `decide` throws a KafkaError to refuse.
   * @throws KafkaError UNKNOWN_TOPIC_OR_PARTITION, BROKER_ID_NOT_REGISTERED, NOT_CONTROLLER, and what `decide` throws.
   */
  async alterConfigs(
    entity: ConfigEntity,
    decide: (current: ConfigEntries, image: MetadataImage) => ConfigEntries,
    options: { readonly validateOnly: boolean },
  ): Promise<void> {
    const term = this.#term()
    const { writer } = term
    assertExists(entity, writer.draft)
    const current = writer.draft.configs(entity.type, entity.name)
    const entries = decide(current, writer.draft)
    if (options.validateOnly) return
    const key: ConfigEntityKey = `${entity.type}/${entity.name}`
    await writer.submit(configOperations(key, current, entries), {
      configs: new Map([[key, entries.size === 0 ? null : entries]]),
    })
    const unclean = 'unclean.leader.election.enable'
    if (entries.get(unclean) !== current.get(unclean)) await this.#member.settle(term)
  }

  /** All of the updates, or none. @throws KafkaError INVALID_UPDATE_VERSION, NOT_CONTROLLER. */
  async updateFeatures(
    updates: readonly FeatureUpdate[],
    { validateOnly }: { readonly validateOnly: boolean },
  ): Promise<void> {
    const { writer } = this.#term()
    const { features } = writer.draft
    const levels = planLevels(updates, writer.draft, this.#options.nodeId)
    if (validateOnly || levels === features.levels) return
    await writer.submit([setNode(featuresPath, encodeFeatures(levels))], {
      features: new FeaturesImage(features.epoch + 1, levels),
    })
  }

  /** Producer ids for a broker that nobody has had before. @throws KafkaError NOT_CONTROLLER. */
  async allocateProducerIds(brokerId: number): Promise<ProducerIdRange> {
    const term = this.#term()
    const start = term.nextProducerId
    const end = start + BigInt(PRODUCER_ID_BLOCK_LENGTH) - 1n
    if (end > LAST_PRODUCER_ID)
      throw new KafkaError(
        ErrorCode.UNKNOWN_SERVER_ERROR,
        `all producer ids below ${start} are used up, and there are no more`,
      )
    term.nextProducerId = end + 1n
    await term.writer.submit([setNode(producerIdBlockPath, encodeProducerIdBlock({ brokerId, start, end }))], {})
    return { start, length: PRODUCER_ID_BLOCK_LENGTH }
  }

  /** Leaves the cluster: the registration and the office are given up at once. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#member[Symbol.asyncDispose]()
  }

  #term(): Term {
    const { term } = this.#member
    if (term === null)
      throw new KafkaError(ErrorCode.NOT_CONTROLLER, `broker ${this.#options.nodeId} is not the controller at present`)
    return term
  }

  #outcomes<K, T>(
    { timeoutMs }: { readonly timeoutMs: number },
    failed: (key: K, code: number, message: string) => T,
  ): Outcomes<K, T> {
    return new Outcomes({ clock: this.#options.clock, timeoutMs, failed })
  }
}

function createTopic(
  request: NewTopic,
  context: CreationContext,
  validateOnly: boolean,
): CreatedTopic | Promise<CreatedTopic> {
  const { topic, configs } = planTopic(request, context)
  const created = {
    name: topic.name,
    errorCode: ErrorCode.NONE,
    errorMessage: null,
    topicId: validateOnly ? ZERO_UUID : topic.id,
    numPartitions: topic.partitions.length,
    replicationFactor: topic.partitions[0]?.replicas.length ?? -1,
    configs,
  }
  if (validateOnly) return created
  const { operations, delta } = topicCreation(topic, configs, context.writer.controllerEpoch)
  return context.writer.submit(operations, delta).then(() => created)
}

function extendTopic(
  request: NewPartitions,
  context: CreationContext,
  validateOnly: boolean,
): ExtendedTopic | Promise<ExtendedTopic> {
  const { topic, added } = planPartitions(request, context)
  const extended = { name: request.name, errorCode: ErrorCode.NONE, errorMessage: null }
  if (validateOnly) return extended
  const { operations, delta } = partitionsAddition(topic, added, context.writer.controllerEpoch)
  return context.writer.submit(operations, delta).then(() => extended)
}

function deleteTopic(topic: TopicImage, writer: MetadataWriter): Promise<TopicOutcome> {
  const { operations, delta } = topicDeletion(topic, writer.draft.configs('topics', topic.name).size > 0)
  return writer
    .submit(operations, delta)
    .then(() => ({ name: topic.name, topicId: topic.id, errorCode: ErrorCode.NONE, errorMessage: null }))
}

function notCreated(name: string, errorCode: number, errorMessage: string): CreatedTopic {
  const nothing = { topicId: ZERO_UUID, numPartitions: -1, replicationFactor: -1, configs: NO_CONFIGS }
  return { name, errorCode, errorMessage, ...nothing }
}

function notExtended(name: string, errorCode: number, errorMessage: string): ExtendedTopic {
  return { name, errorCode, errorMessage }
}

function notDeleted({ name, topicId }: TopicSelector, errorCode: number, errorMessage: string): TopicOutcome {
  return { name, topicId, errorCode, errorMessage }
}

function duplicateName(): KafkaError {
  return new KafkaError(ErrorCode.INVALID_REQUEST, 'Duplicate topic name.')
}

interface ByName<R> {
  readonly unique: R[]
  /** Names that more than one request has. */
  readonly repeated: Iterable<string>
}

async function onceNamed<R extends { readonly name: string }>(
  requests: readonly R[],
  slice: TimeSlice,
): Promise<ByName<R>> {
  const first = new Map<string, R>()
  const repeated = new Set<string>()
  for (const request of requests) {
    if (slice.isOver) await slice.next()
    if (first.has(request.name)) repeated.add(request.name)
    else first.set(request.name, request)
  }
  for (const name of repeated) first.delete(name)
  return { unique: [...first.values()], repeated }
}

function assertExists({ type, name }: ConfigEntity, image: MetadataImage): void {
  if (type === 'topics' && !image.topics.has(name))
    throw new KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `The topic '${name}' does not exist.`)
  if (type === 'brokers' && name !== '' && !image.brokers.has(Number(name)))
    throw new KafkaError(ErrorCode.BROKER_ID_NOT_REGISTERED, `No broker with id ${name} found.`)
}

function configOperations(key: ConfigEntityKey, current: ConfigEntries, entries: ConfigEntries): Operation[] {
  const path = configPath(key)
  if (current.size === 0) return entries.size === 0 ? [] : [createNode(path, encodeConfig(entries))]
  return [entries.size === 0 ? deleteNode(path) : setNode(path, encodeConfig(entries))]
}
