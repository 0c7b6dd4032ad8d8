/** A controller on an embedded tree, with its sessions in the hand of the test. */
import { EmbeddedTree } from '@millrace/coordination'
import type { ConnectOptions, CoordinationSession, CoordinationTree, EmbeddedSession } from '@millrace/coordination'
import { ErrorCode, KafkaError } from '@millrace/protocol'
import { nodeRuntime, silentLogger } from '@millrace/runtime'
import { newestLevels, SUPPORTED_FEATURES } from '../../metadata/features.ts'
import { MetadataCache } from '../../metadata/metadata-cache.ts'
import { Controller } from '../controller.ts'
import type { ControllerSettings } from '../controller-settings.ts'
import type { NewTopic } from '../create-topics.ts'
import type { BrokerRegistration } from '../znodes.ts'

export const runtime = nodeRuntime()
/** In more time than a test may take: what a crash leaves unanswered is not to be answered in the middle of what follows. */
export const NOW = { validateOnly: false, timeoutMs: 600_000 }

export const settings: ControllerSettings = {
  defaultPartitions: () => 2,
  defaultReplicationFactor: () => 1,
  allowsUncleanElection: (image, topic) =>
    image.configs('topics', topic).get('unclean.leader.election.enable') === 'true',
  validateTopicConfigs: (_topic, configs) => {
    for (const name of configs.keys())
      if (name.startsWith('unknown'))
        throw new KafkaError(ErrorCode.INVALID_CONFIG, `Unknown topic config name: ${name}`)
  },
}

/** Passes on to an embedded tree, and keeps the session it gave out last. */
export class WatchedTree implements CoordinationTree {
  readonly #tree: EmbeddedTree
  #last: EmbeddedSession | null = null

  constructor(tree: EmbeddedTree) {
    this.#tree = tree
  }

  get session(): EmbeddedSession {
    if (this.#last === null) throw new Error('no session was opened yet')
    return this.#last
  }

  async connect(_options: ConnectOptions): Promise<CoordinationSession> {
    this.#last = await this.#tree.connect()
    return this.#last
  }

  /** The tree belongs to the test. */
  async [Symbol.asyncDispose](): Promise<void> {}
}

export interface ControllerUnderTest extends AsyncDisposable {
  readonly controller: Controller
  readonly metadata: MetadataCache
  readonly tree: WatchedTree
}

export interface TestControllerOptions {
  readonly nodeId?: number
  readonly rack?: string | null
  readonly settings?: Partial<ControllerSettings>
  readonly wishedClusterId?: string
  readonly initialLevels?: ReadonlyMap<string, number>
}

export function registration(nodeId: number, rack: string | null = null): BrokerRegistration {
  const endpoint = { host: `host-${nodeId}`, port: 9092, securityProtocol: 'PLAINTEXT' }
  return { rack, endpoints: new Map([['PLAINTEXT', endpoint]]), features: SUPPORTED_FEATURES }
}

/** Opens without registering the broker. */
export async function openController(
  tree: EmbeddedTree,
  options: TestControllerOptions = {},
): Promise<ControllerUnderTest> {
  const watched = new WatchedTree(tree)
  const metadata = new MetadataCache(runtime.clock)
  const controller = await Controller.open({
    nodeId: options.nodeId ?? 1,
    tree: watched,
    sessionTimeoutMs: 200,
    wishedClusterId: options.wishedClusterId ?? null,
    initialLevels: options.initialLevels ?? newestLevels(),
    metadata,
    settings: { ...settings, ...options.settings },
    clock: runtime.clock,
    random: runtime.random,
    logger: silentLogger,
  })
  return { controller, metadata, tree: watched, [Symbol.asyncDispose]: () => controller[Symbol.asyncDispose]() }
}

/** Opens and registers. */
export async function startController(
  tree: EmbeddedTree,
  options: TestControllerOptions = {},
): Promise<ControllerUnderTest> {
  const opened = await openController(tree, options)
  await opened.controller.register(registration(options.nodeId ?? 1, options.rack ?? null))
  return opened
}

export function newTree(): Promise<EmbeddedTree> {
  return EmbeddedTree.open({ clock: runtime.clock })
}

export function newTopic(name: string, rest: Partial<NewTopic> = {}): NewTopic {
  return { name, numPartitions: -1, replicationFactor: -1, assignments: [], configs: [], ...rest }
}
