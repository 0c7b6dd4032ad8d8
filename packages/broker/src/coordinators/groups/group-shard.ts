/** One partition of `__consumer_offsets`: its groups of all types, and their offsets. */
import type { BrokerConfigReader } from '../../config/broker-configs.ts'
import type { MetadataImage } from '../../metadata/image.ts'
import type { CoordinatorShard, RecordOrigin, ShardContext, TransactionResult } from '../runtime/coordinator-shard.ts'
import type { ProducerIdentity } from '../runtime/decision.ts'
import { Replayers, type LoadedRecord } from '../runtime/replayers.ts'
import { ClassicGroups } from './classic/classic-groups.ts'
import { ConsumerGroups } from './consumer/consumer-groups.ts'
import type { GroupPart, GroupShardContext } from './group-part.ts'
import { Groups } from './groups.ts'
import { GroupOffsets } from './offsets/group-offsets.ts'
import { ShareGroups } from './share/share-groups.ts'

export class GroupShard implements CoordinatorShard {
  readonly groups = new Groups()
  readonly classic: ClassicGroups
  readonly consumer: ConsumerGroups
  readonly share: ShareGroups
  readonly offsets: GroupOffsets
  readonly #parts: readonly GroupPart[]
  readonly #replayers = new Replayers()

  constructor(shard: ShardContext, config: BrokerConfigReader) {
    const context: GroupShardContext = { shard, config, groups: this.groups }
    this.classic = new ClassicGroups(context)
    this.consumer = new ConsumerGroups(context, this.classic)
    this.share = new ShareGroups(context)
    this.offsets = new GroupOffsets(context, this.classic)
    this.#parts = [this.classic, this.consumer, this.share, this.offsets]
    for (const part of this.#parts) part.registerReplay(this.#replayers)
  }

  replay(record: LoadedRecord, origin: RecordOrigin): void {
    this.#replayers.apply(record, origin)
  }

  endTransaction(producer: ProducerIdentity, result: TransactionResult): void {
    this.offsets.endTransaction(producer.producerId, result)
  }

  loaded(): void {
    for (const part of this.#parts) part.loaded?.()
  }

  unloaded(): void {
    for (const part of this.#parts) part.unloaded?.()
  }

  metadataChanged(image: MetadataImage, changedTopics: ReadonlySet<string> | null): void {
    for (const part of this.#parts) part.metadataChanged?.(image, changedTopics)
  }
}
