/** The other side of what share consumers read, for tests: topics, records, settings of groups. */
import {
  CreateTopics,
  ErrorCode,
  errorName,
  IncrementalAlterConfigs,
  Produce,
  RecordBatchBuilder,
} from '@millrace/protocol'
import { ClientContexts } from '../../client-context.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import { clientOptions } from '../../config/client-options.ts'
import { realWorld, type World } from '../../world.ts'

const groupResource = 32

export class TopicWriter implements AsyncDisposable {
  readonly cluster: Cluster

  constructor(brokers: string, world: World = realWorld()) {
    this.cluster = new ClientContexts({ brokers }, world).open(clientOptions, {}, 'test').cluster
  }

  async create(name: string, numPartitions = 1): Promise<void> {
    const { topics } = await this.cluster.withRetries('create', () =>
      this.cluster.send('controller', CreateTopics, {
        topics: [{ name, numPartitions, replicationFactor: 1, assignments: [], configs: [] }],
        timeoutMs: 10_000,
      }),
    )
    const code = topics[0]!.errorCode
    if (code !== ErrorCode.NONE) throw new Error(`${name} was not created: ${errorName(code)}`)
  }

  /** Share groups of this id read what was there before them. */
  async fromTheBeginning(groupId: string): Promise<void> {
    const { responses } = await this.cluster.send('any', IncrementalAlterConfigs, {
      resources: [
        {
          resourceType: groupResource,
          resourceName: groupId,
          configs: [{ name: 'share.auto.offset.reset', configOperation: 0, value: 'earliest' }],
        },
      ],
      validateOnly: false,
    })
    const code = responses[0]!.errorCode
    if (code !== ErrorCode.NONE) throw new Error(`share.auto.offset.reset was not set: ${errorName(code)}`)
  }

  /** One batch with these values; the keys are the same. */
  async write(topic: string, values: readonly string[], partition = 0): Promise<void> {
    const builder = new RecordBatchBuilder()
    for (const value of values) builder.add(this.cluster.world.clock.now(), value, value, [])
    const bytes = builder.build()
    const { responses } = await this.cluster.withRetries('produce', () =>
      this.cluster.send({ leaderOf: { topic, partition } }, Produce, (version) => ({
        transactionalId: null,
        acks: -1,
        timeoutMs: 10_000,
        topicData: [
          {
            ...(version >= 13 ? { topicId: this.cluster.metadata.image.topics.get(topic)!.id } : { name: topic }),
            partitionData: [{ index: partition, records: bytes }],
          },
        ],
      })),
    )
    const code = responses[0]!.partitionResponses[0]!.errorCode
    if (code !== ErrorCode.NONE) throw new Error(`nothing was written to ${topic}: ${errorName(code)}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cluster[Symbol.asyncDispose]()
  }
}
