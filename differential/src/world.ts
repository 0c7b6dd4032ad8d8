/** What a scenario has: clients connected to both brokers, names nobody else uses, and a journal of what was said. */
import {
  ApiVersions,
  ConsumerGroupHeartbeat,
  CreateTopics,
  DeleteGroups,
  DescribeGroups,
  ErrorCode,
  FindCoordinator,
  Heartbeat,
  InitProducerId,
  ListOffsets,
  Metadata,
  type Api,
} from '@millrace/protocol'
import { Duet, type Exchange, type Journal, type Ports } from './duet.ts'
import { Identities } from './identities.ts'
import { WrittenRecords, type RecordDifference } from './written-records.ts'

/** What both brokers serve: oldest and newest version by API key. */
export type Served = ReadonlyMap<number, readonly [oldest: number, newest: number]>

export interface Topic {
  readonly name: string
  readonly id: string
}

export class World implements Journal {
  readonly ports: Ports
  readonly served: Served
  readonly identities = new Identities()
  exchanges: Exchange[] = []
  #prefix = ''
  readonly #sharedTopics = new Map<string, Topic>()
  #barrier: Duet | null = null
  readonly #clients = new Map<string, Duet>()
  readonly #written: WrittenRecords

  private constructor(ports: Ports, served: Served) {
    this.ports = ports
    this.served = served
    this.#written = new WrittenRecords(ports, this.identities)
  }

  static async open(ports: Ports): Promise<World> {
    const quiet: Journal = { identities: new Identities(), add: () => {} }
    const asker = await Duet.open('versions', ports, quiet)
    const ranges = asker.send(ApiVersions, 0, {})
    await ranges.outcome()
    asker.close()
    return new World(ports, commonVersions(ranges.received('kafka'), ranges.received('ours')))
  }

  /** Waits until both coordinate groups and transactions, and have producer ids to give. */
  async prepare(): Promise<void> {
    const asker = await this.#quietClient('prepare')
    const find = (keyType: number) =>
      asker.askUntil(
        FindCoordinator,
        4,
        { keyType, coordinatorKeys: ['prepare'] },
        ({ coordinators }) => coordinators[0]!.errorCode === 0,
      )
    await find(0)
    await find(1)
    const sharePartition = 'prepare:AAECAwQFBgcICQoLDA0ODw:0'
    const findShare = { keyType: 2, coordinatorKeys: [sharePartition] }
    await asker.askUntil(FindCoordinator, 6, findShare, ({ coordinators }) => coordinators[0]!.errorCode === 0)
    const beat = { groupId: 'prepare', generationId: 0, memberId: 'prepare' }
    await asker.askUntil(Heartbeat, 0, beat, ({ errorCode }) => errorCode === ErrorCode.UNKNOWN_MEMBER_ID)
    const producer = { transactionalId: 'prepare', transactionTimeoutMs: 1000 }
    await asker.askUntil(InitProducerId, 0, producer, ({ errorCode }) => errorCode === ErrorCode.NONE)
    asker.close()
  }

  /** Nothing it says is in the journal. */
  #quietClient(name: string): Promise<Duet> {
    return Duet.open(name, this.ports, { identities: this.identities, add: () => {} })
  }

  add(exchange: Exchange): void {
    this.exchanges.push(exchange)
  }

  isOwn(name: string): boolean {
    return name.startsWith(this.#prefix)
  }

  /** Begins a scenario: new names, no clients. */
  async begin(prefix: string): Promise<void> {
    this.end()
    this.#prefix = prefix
    this.exchanges = []
    await this.#written.skipToEnd()
  }

  /** A topic that all walks use: made once. */
  async sharedTopic(name: string): Promise<Topic> {
    const known = this.#sharedTopics.get(name)
    if (known !== undefined) return known
    const topic = await this.#makeTopic(`shared-${name}`, 2, {})
    this.#sharedTopics.set(name, topic)
    return topic
  }

  /** Closes the clients; whoever waits for an answer gets none. */
  end(): void {
    for (const client of this.#clients.values()) client.close()
    this.#clients.clear()
    this.#barrier?.close()
    this.#barrier = null
  }

  /** What the coordinators have written down since `begin` for this scenario's groups and transactional ids. */
  recordDifferences(): Promise<RecordDifference[]> {
    return this.#written.compare((name) => this.isOwn(name))
  }

  /** A name of this scenario only. */
  name(suffix: string): string {
    return `${this.#prefix}-${suffix}`
  }

  serves(api: Api): boolean {
    return this.served.has(api.key)
  }

  /** Every version that both serve. */
  versions(api: Api, from = 0): number[] {
    const range = this.served.get(api.key)
    if (range === undefined) throw new Error(`${api.name} is not served by both`)
    const oldest = Math.max(from, range[0])
    return Array.from({ length: range[1] - oldest + 1 }, (_, index) => oldest + index)
  }

  newest(api: Api): number {
    return this.versions(api).at(-1)!
  }

  /** The client of that name, connected on first use, and again when a broker has closed its connection. */
  async client(name: string): Promise<Duet> {
    const known = this.#clients.get(name)
    if (known !== undefined && !known.isClosed) return known
    const client = await Duet.open(name, this.ports, this)
    this.#clients.set(name, client)
    return client
  }

  /** Makes a topic on both, and waits until both know its leaders. Returns its name; its id in the names of both. */
  async topic(suffix: string, partitions = 2, configs: Record<string, string> = {}): Promise<Topic> {
    return this.#makeTopic(this.name(suffix), partitions, configs)
  }

  async #makeTopic(name: string, partitions: number, configs: Record<string, string>): Promise<Topic> {
    const quiet = await this.#quietClient('admin')
    await quiet.ask(CreateTopics, 7, {
      topics: [
        {
          name,
          numPartitions: partitions,
          replicationFactor: 1,
          assignments: [],
          configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
        },
      ],
      timeoutMs: 10_000,
      validateOnly: false,
    })
    const { topics } = await quiet.askUntil(
      Metadata,
      12,
      { topics: [{ name }], allowAutoTopicCreation: false, includeTopicAuthorizedOperations: false },
      (answer) => answer.topics[0]!.partitions.length === partitions,
    )
    const indexes = Array.from({ length: partitions }, (_, index) => ({ partitionIndex: index, timestamp: -1n }))
    const latest = { replicaId: -1, isolationLevel: 0, topics: [{ name, partitions: indexes }] }
    await quiet.askUntil(ListOffsets, 5, latest, (answer) =>
      answer.topics[0]!.partitions.every(({ errorCode }) => errorCode === ErrorCode.NONE),
    )
    if (this.serves(ConsumerGroupHeartbeat)) await this.#untilCoordinatorsKnow(quiet, name)
    quiet.close()
    return { name, id: topics[0]!.topicId }
  }

  /** The coordinator hears of a topic a little later than those who lead its partitions: until it assigns them. */
  async #untilCoordinatorsKnow(client: Duet, topic: string): Promise<void> {
    const member = { groupId: `probe-${topic}`, memberId: 'probe', rebalanceTimeoutMs: 60_000, topicPartitions: [] }
    await client.askUntil(
      ConsumerGroupHeartbeat,
      1,
      { ...member, memberEpoch: 0, subscribedTopicNames: [topic] },
      ({ assignment }) => (assignment?.topicPartitions.length ?? 0) > 0,
    )
    await client.ask(ConsumerGroupHeartbeat, 1, { ...member, memberEpoch: -1 })
    await client.ask(DeleteGroups, 1, { groupsNames: [member.groupId] })
  }

  /**
   * Two requests there and back on a connection of their own: what was sent to the group coordinators before has been decided by then.
   * Not in the journal.
   */
  async barrier(): Promise<void> {
    this.#barrier ??= await this.#quietClient('barrier')
    for (let round = 0; round < 2; round++)
      await this.#barrier.send(DescribeGroups, 0, { groups: [this.name('nobody')] }).outcome()
  }
}

function commonVersions(kafka: ApiList | null, ours: ApiList | null): Served {
  if (kafka === null || ours === null) throw new Error('a broker does not answer ApiVersions')
  const served = new Map<number, readonly [number, number]>()
  for (const { apiKey, minVersion, maxVersion } of kafka.apiKeys) {
    const own = ours.apiKeys.find((one) => one.apiKey === apiKey)
    if (own !== undefined)
      served.set(apiKey, [Math.max(minVersion, own.minVersion), Math.min(maxVersion, own.maxVersion)])
  }
  return served
}

interface ApiList {
  readonly apiKeys: readonly { readonly apiKey: number; readonly minVersion: number; readonly maxVersion: number }[]
}
