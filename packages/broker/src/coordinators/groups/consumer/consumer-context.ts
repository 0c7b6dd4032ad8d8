/** What the files that decide for consumer groups share. One per shard. */
import type { MetadataImage } from '../../../metadata/image.ts'
import type { ShardContext } from '../../runtime/coordinator-shard.ts'
import type { Groups } from '../groups.ts'
import type { TopicHashes } from '../topic-hashes.ts'
import type { ConsumerSettings } from './consumer-settings.ts'
import type { MemberTimers } from './member-timers.ts'
import type { Migration } from './migration.ts'
import type { RegularExpressions } from './regular-expressions.ts'

export interface ConsumerContext {
  readonly shard: ShardContext
  readonly groups: Groups
  readonly settings: ConsumerSettings
  readonly hashes: TopicHashes
  readonly timers: MemberTimers
  readonly regexes: RegularExpressions
  readonly migration: Migration
  readonly image: MetadataImage
}
