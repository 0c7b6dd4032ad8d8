/** The group coordinator of a broker: finds the shard of a group. What a request does there is up to the shard's parts. */
import { consumerOffsetsRecords } from '@millrace/protocol'
import type { MetadataImage } from '../../metadata/image.ts'
import type { BrokerServices } from '../../server/broker-services.ts'
import { runtimeServices, type Coordinator } from '../coordinator.ts'
import { CoordinatorRuntime } from '../runtime/coordinator-runtime.ts'
import type { Decision } from '../runtime/decision.ts'
import { GroupShard } from './group-shard.ts'

export const groupMetadataTopic = '__consumer_offsets'

export class GroupCoordinator implements Coordinator {
  readonly runtime: CoordinatorRuntime<GroupShard>

  constructor(services: BrokerServices) {
    const { config } = services
    this.runtime = new CoordinatorRuntime<GroupShard>({
      ...runtimeServices(services),
      topic: groupMetadataTopic,
      types: consumerOffsetsRecords,
      makeShard: (shard) => new GroupShard(shard, config),
      loadBufferBytes: config.get('offsets.load.buffer.size'),
      writeTimeoutMs: () => config.get('offsets.commit.timeout.ms'),
      compression: () => config.get('offsets.topic.compression.codec'),
    })
  }

  apply(image: MetadataImage, changedTopics: ReadonlySet<string> | null): void {
    this.runtime.apply(image, changedTopics)
  }

  close(): void {
    this.runtime.close()
  }

  /** Rejects with what `decide` throws, and as `ShardHost.write`. */
  async write<T>(groupId: string, decide: (shard: GroupShard) => Decision<T>): Promise<T> {
    return this.runtime.write(this.runtime.partitionOf(groupId), decide)
  }

  /** Rejects with what `look` throws, and as `ShardHost.write`. */
  async read<T>(groupId: string, look: (shard: GroupShard) => T): Promise<T> {
    return this.runtime.read(this.runtime.partitionOf(groupId), look)
  }
}
