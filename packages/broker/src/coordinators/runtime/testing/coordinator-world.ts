/** A coordinator's topic with one partition on a simulated disk, for tests of what stands on the runtime. */
import type { RecordTypes } from '@millrace/protocol'
import { silentLogger, type Logger } from '@millrace/runtime'
import { simulation, type SimulatedHost, type Simulation } from '@millrace/runtime/testing'
import { defaultLogConfig, LogManager, type LogConfig } from '@millrace/storage'
import type { MetadataDelta, MetadataImage, PartitionImage } from '../../../metadata/image.ts'
import { applyDelta, emptyImage } from '../../../metadata/metadata-delta.ts'
import { Partitions } from '../../../partitions/partitions.ts'
import { CoordinatorRuntime } from '../coordinator-runtime.ts'
import type { CoordinatorShard, ShardContext } from '../coordinator-shard.ts'

export const testTopic = '__coordinator'
const me = 1

export interface CoordinatorWorldOptions<S extends CoordinatorShard> {
  readonly seed: number
  readonly types: RecordTypes
  readonly makeShard: (context: ShardContext) => S
  readonly logConfig?: Partial<LogConfig>
  readonly logger?: Logger
}

export class CoordinatorWorld<S extends CoordinatorShard> {
  readonly sim: Simulation
  readonly host: SimulatedHost
  readonly #options: CoordinatorWorldOptions<S>
  #image = emptyImage()
  #logs: LogManager | null = null
  #partitions: Partitions | null = null
  runtime!: CoordinatorRuntime<S>
  /** The shard made last. */
  shard!: S
  #partition: PartitionImage = {
    leader: me,
    leaderEpoch: 0,
    partitionEpoch: 0,
    replicas: [me],
    isr: [me],
    addingReplicas: [],
    removingReplicas: [],
    leaderRecovering: false,
  }

  constructor(options: CoordinatorWorldOptions<S>) {
    this.#options = options
    this.sim = simulation(options.seed)
    this.host = this.sim.host('broker')
  }

  /** Opens the log and a runtime over it; the shard loads while time passes. */
  async start(): Promise<void> {
    const { disk, clock, random } = this.host.runtime
    const { logger = silentLogger, logConfig, types, makeShard } = this.#options
    this.#logs = await this.sim.time.run(
      LogManager.open({
        disk,
        clock,
        random,
        logger,
        directories: ['/logs'],
        nodeId: me,
        clusterId: 'test',
        configFor: () => ({ ...defaultLogConfig, ...logConfig }),
        onDirectoryFailure: ({ lost }) => this.#partitions?.goOffline(lost),
      }),
    )
    this.#image = this.#next({})
    const partitions = new Partitions({ nodeId: me, logs: this.#logs, logger, image: emptyImage() })
    this.#partitions = partitions
    partitions.apply(this.#image, [testTopic])
    this.runtime = new CoordinatorRuntime({
      topic: testTopic,
      plannedPartitions: () => 1,
      types,
      partitions,
      clock,
      random,
      logger,
      image: () => this.#image,
      makeShard: (context) => (this.shard = makeShard(context)),
      loadBufferBytes: 4096,
      writeTimeoutMs: () => 5000,
      compression: () => 0,
    })
    this.runtime.apply(this.#image, null)
  }

  /** The process dies; `start` makes the next one. */
  crash(): void {
    this.runtime.close()
    this.host.crashProcess()
  }

  async stop(): Promise<void> {
    this.runtime.close()
    await this.sim.time.run(this.#logs!.close())
  }

  /** Changes the state of the partition, as the controller would. */
  changePartition(change: Partial<PartitionImage>): void {
    this.#partition = { ...this.#partition, ...change, partitionEpoch: this.#partition.partitionEpoch + 1 }
    this.#image = this.#next({})
    this.#partitions!.apply(this.#image, [testTopic])
    this.runtime.apply(this.#image, new Set([testTopic]))
  }

  /** Changes other metadata: features, other topics, which nobody hosts here. */
  change(delta: MetadataDelta): void {
    this.#image = applyDelta(this.#image, delta)
    this.runtime.apply(this.#image, new Set(delta.topics?.keys()))
  }

  get image(): MetadataImage {
    return this.#image
  }

  run<T>(promise: Promise<T>): Promise<T> {
    return this.sim.time.run(promise)
  }

  #next(delta: MetadataDelta) {
    const topic = { name: testTopic, id: 'dGVzdHRlc3R0ZXN0dGVzdA', partitions: [this.#partition] }
    return applyDelta(this.#image, { ...delta, topics: new Map([[testTopic, topic]]) })
  }
}
