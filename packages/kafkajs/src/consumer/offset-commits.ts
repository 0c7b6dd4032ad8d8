/** Commits of what is resolved: after each batch, within one as the program's interval and threshold say, and when the program asks for it. */
import type { TopicPartitionOffset } from '@millrace/client'
import type { InstrumentationEvents } from '../events.ts'
import type { BytesConsumer } from './client-consumer.ts'
import { consumerEventNames as names } from './consumer-events.ts'
import type { ConsumerRunConfig } from './handlers.ts'
import { byTopic, type ResolvedOffsets } from './resolved-offsets.ts'

export interface OffsetCommitsOptions {
  readonly client: BytesConsumer
  readonly resolved: ResolvedOffsets
  readonly runConfig: ConsumerRunConfig
  readonly events: InstrumentationEvents<typeof names>
}

export class OffsetCommits {
  readonly #options: OffsetCommitsOptions
  #lastMs = Date.now()

  constructor(options: OffsetCommitsOptions) {
    this.#options = options
  }

  async commit(offsets: readonly TopicPartitionOffset[]): Promise<void> {
    const { client, resolved, events } = this.#options
    this.#lastMs = Date.now()
    if (offsets.length === 0) return
    await client.commit(offsets)
    resolved.committed(offsets)
    const { groupId, memberId, generationId } = client.groupMetadata()
    events.emit(names.COMMIT_OFFSETS, { groupId, memberId, groupGenerationId: generationId, ...byTopic(offsets) })
  }

  /** All that is resolved, unless the program commits itself. */
  async commitResolved(): Promise<void> {
    const { runConfig, resolved } = this.#options
    if (runConfig.autoCommit !== false) await this.commit(resolved.uncommitted())
  }

  /** What is resolved, if `autoCommitInterval` or `autoCommitThreshold` says so. */
  async commitIfDue(): Promise<void> {
    const { runConfig, resolved } = this.#options
    const { autoCommitInterval = null, autoCommitThreshold = null } = runConfig
    const isDue = autoCommitInterval !== null && Date.now() >= this.#lastMs + autoCommitInterval
    const isMuch = autoCommitThreshold !== null && resolved.uncommittedCount >= autoCommitThreshold
    if (isDue || isMuch) await this.commit(resolved.uncommitted())
  }
}
