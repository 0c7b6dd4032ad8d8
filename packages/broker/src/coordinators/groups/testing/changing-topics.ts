/** Topics that a group shard sees come, grow and go. */
import type { TopicImage } from '../../../metadata/image.ts'
import { testTopic } from './consumer-client.ts'
import type { GroupShardUnderTest } from './group-shard-under-test.ts'

export class ChangingTopics {
  readonly #under: GroupShardUnderTest
  readonly #topics = new Map<string, TopicImage>()
  #generation = 0

  /** They begin with three partitions each. */
  constructor(under: GroupShardUnderTest, names: readonly string[]) {
    this.#under = under
    for (const name of names) this.#change(name, testTopic(name, 3))
  }

  get existing(): TopicImage[] {
    return [...this.#topics.values()]
  }

  /** By one partition, which may be its first. */
  grow(name: string): void {
    const topic = this.#topics.get(name)
    this.#change(
      name,
      topic === undefined
        ? testTopic(name, 1, ++this.#generation)
        : { ...testTopic(name, topic.partitions.length + 1), id: topic.id },
    )
  }

  /** With another id, whether it exists or not. */
  recreate(name: string): void {
    this.#change(name, testTopic(name, 2, ++this.#generation))
  }

  delete(name: string): void {
    this.#change(name, null)
  }

  #change(name: string, topic: TopicImage | null): void {
    if (topic === null) this.#topics.delete(name)
    else this.#topics.set(name, topic)
    this.#under.changeMetadata({ topics: new Map([[name, topic]]) })
  }
}
