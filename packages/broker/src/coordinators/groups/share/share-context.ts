/** What the files that decide for share groups share. One per shard. */
import type { MetadataImage } from '../../../metadata/image.ts'
import type { ShardContext } from '../../runtime/coordinator-shard.ts'
import type { Groups } from '../groups.ts'
import type { TopicHashes } from '../topic-hashes.ts'
import type { ShareSessionTimers } from './share-session-timers.ts'
import type { ShareSettings } from './share-settings.ts'

export interface ShareContext {
  readonly shard: ShardContext
  readonly groups: Groups
  readonly settings: ShareSettings
  readonly hashes: TopicHashes
  readonly sessions: ShareSessionTimers
  readonly image: MetadataImage
}
