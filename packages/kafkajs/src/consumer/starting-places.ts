/** Where reading goes on in partitions when they are assigned: where the program has sought, else at the beginning in topics that it subscribes to so. */
import type { TopicPartition } from '@millrace/client'
import { isAssigned, type BytesConsumer } from './client-consumer.ts'
import { nameOf } from './resolved-offsets.ts'
import type { SeekTarget } from './places.ts'

export class StartingPlaces {
  /** By topic whether to begin at the beginning. */
  readonly #topics: ReadonlyMap<string, boolean>
  /** What the program wants, until the partition is assigned. */
  readonly #seeks = new Map<string, { readonly place: TopicPartition; readonly target: SeekTarget }>()

  constructor(topics: ReadonlyMap<string, boolean>) {
    this.#topics = topics
  }

  get topics(): readonly string[] {
    return [...this.#topics.keys()]
  }

  get offsetReset(): 'earliest' | 'latest' {
    return [...this.#topics.values()].every(Boolean) ? 'earliest' : 'latest'
  }

  seek({ topic, partition }: TopicPartition, target: SeekTarget): void {
    const place = { topic, partition }
    this.#seeks.set(nameOf(place), { place, target })
  }

  /** `offsetReset` is one for all topics; those subscribed to from the beginning while others are not need help. */
  async beginWhereWanted(client: BytesConsumer, partitions: readonly TopicPartition[]): Promise<void> {
    if (this.offsetReset === 'earliest') return
    const early = partitions.filter(({ topic }) => this.#topics.get(topic) === true)
    if (early.length === 0) return
    const committed = await client.committed(early)
    const fresh = early.filter((_, index) => committed[index] === null)
    if (fresh.length > 0) await client.seek('beginning', fresh)
  }

  /** Goes where the program wants in partitions that are assigned now. `wentTo` is told where that is. */
  async applySeeks(client: BytesConsumer, wentTo: (place: TopicPartition, offset: bigint) => void): Promise<void> {
    for (const [name, { place, target }] of this.#seeks) {
      if (!isAssigned(client, place)) continue
      this.#seeks.delete(name)
      await client.seek(target, [place])
      wentTo(place, typeof target === 'bigint' ? target : await client.position(place))
    }
  }
}
