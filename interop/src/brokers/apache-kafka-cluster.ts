// Apache Kafka 4.3.1 as a cluster of KRaft nodes that can be stopped, killed and started again one by one.
import { join } from 'node:path'
import type { RunningBroker } from './broker.ts'
import { freePorts } from './free-port.ts'
import { startKraftNode } from './kraft-node.ts'

/** Nodes are many and the machine is small; what they do here is little. */
const nodeFlags = ['-Xmx384m', '-Xms128m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Djava.awt.headless=true']

/** Replicas on all three nodes, of which one may be missing; a node that is gone is noticed soon. */
const clusterProperties = {
  'default.replication.factor': '3',
  'min.insync.replicas': '2',
  'offsets.topic.replication.factor': '3',
  'transaction.state.log.replication.factor': '3',
  'transaction.state.log.min.isr': '2',
  'share.coordinator.state.topic.replication.factor': '3',
  'share.coordinator.state.topic.min.isr': '2',
  'replica.selector.class': 'org.apache.kafka.common.replica.RackAwareReplicaSelector',
  'broker.session.timeout.ms': '3000',
  'broker.heartbeat.interval.ms': '500',
  'controller.quorum.election.timeout.ms': '500',
  'controller.quorum.fetch.timeout.ms': '1000',
  'controlled.shutdown.retry.backoff.ms': '500',
  'replica.lag.time.max.ms': '5000',
  'leader.imbalance.check.interval.seconds': '3600',
}

export interface ClusterOptions {
  readonly directory: string
  readonly properties?: Readonly<Record<string, string>>
}

interface Place {
  readonly port: number
  readonly controllerPort: number
}

export class ApacheKafkaCluster {
  static readonly nodeIds = [1, 2, 3] as const
  readonly #options: ClusterOptions
  readonly #places: ReadonlyMap<number, Place>
  readonly #running = new Map<number, RunningBroker>()

  private constructor(options: ClusterOptions, places: ReadonlyMap<number, Place>) {
    this.#options = options
    this.#places = places
  }

  /** Starts all nodes and resolves when each answers. */
  static async start(options: ClusterOptions): Promise<ApacheKafkaCluster> {
    const ports = await freePorts(2 * this.nodeIds.length)
    const places = this.nodeIds.map(
      (id, at) => [id, { port: ports[2 * at]!, controllerPort: ports[2 * at + 1]! }] as const,
    )
    const cluster = new ApacheKafkaCluster(options, new Map(places))
    await Promise.all(this.nodeIds.map((id) => cluster.startNode(id)))
    return cluster
  }

  /** The rack of a node. */
  static rackOf(nodeId: number): string {
    return `rack-${nodeId}`
  }

  /** Of all nodes, running or not. */
  get bootstrap(): string {
    return [...this.#places.values()].map(({ port }) => `127.0.0.1:${port}`).join(',')
  }

  portOf(nodeId: number): number {
    return this.#places.get(nodeId)!.port
  }

  /** Starts a node that is not running, with the data it has, and resolves when it answers. */
  async startNode(nodeId: number): Promise<void> {
    const { port, controllerPort } = this.#places.get(nodeId)!
    const node = await startKraftNode({
      dataDirectory: join(this.#options.directory, `node-${nodeId}`),
      nodeId,
      port,
      controllerPort,
      voters: new Map([...this.#places].map(([id, place]) => [id, place.controllerPort])),
      flags: () => nodeFlags,
      properties: {
        ...clusterProperties,
        'broker.rack': ApacheKafkaCluster.rackOf(nodeId),
        ...this.#options.properties,
      },
    })
    this.#running.set(nodeId, node)
    await node.ready(120_000)
  }

  /** Stops it the ordinary way: leaders move first. */
  async stopNode(nodeId: number): Promise<void> {
    await this.#take(nodeId).stop()
  }

  /** SIGKILL. */
  async killNode(nodeId: number): Promise<void> {
    await this.#take(nodeId).kill()
  }

  isRunning(nodeId: number): boolean {
    return this.#running.has(nodeId)
  }

  /** SIGKILL for all that run. */
  async kill(): Promise<void> {
    await Promise.all([...this.#running.keys()].map((id) => this.killNode(id)))
  }

  #take(nodeId: number): RunningBroker {
    const node = this.#running.get(nodeId)
    if (node === undefined) throw new Error(`node ${nodeId} is not running`)
    this.#running.delete(nodeId)
    return node
  }
}
