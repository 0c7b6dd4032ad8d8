/** What a group shard is made of: one part for each type of group, and one for offsets. */
import type { BrokerConfigReader } from '../../config/broker-configs.ts'
import type { MetadataImage } from '../../metadata/image.ts'
import type { ShardContext } from '../runtime/coordinator-shard.ts'
import type { Replayers } from '../runtime/replayers.ts'
import type { Groups } from './groups.ts'

/** What the parts of a shard share. */
export interface GroupShardContext {
  readonly shard: ShardContext
  readonly config: BrokerConfigReader
  readonly groups: Groups
}

export interface GroupPart {
  /** Names the record types that are this part's, and how they are applied. */
  registerReplay(replayers: Replayers): void
  /** All records are replayed: starts timers. */
  loaded?(): void
  /** Timers are cancelled by the runtime; who waits for an answer must be refused. */
  unloaded?(): void
  /** `changedTopics` null: any may have. */
  metadataChanged?(image: MetadataImage, changedTopics: ReadonlySet<string> | null): void
}

/** Who sends a request: what a member is remembered by. */
export interface GroupClient {
  readonly clientId: string
  /** With a leading slash, as Kafka has it. */
  readonly clientHost: string
  readonly apiVersion: number
}
