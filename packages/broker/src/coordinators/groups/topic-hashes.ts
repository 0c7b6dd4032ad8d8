/**
 * Hashes of topics, and of all topics a group subscribes to: the latter is kept with the group, so that a change of the topics (created,
 * deleted, more partitions, other racks) is seen as such, also by a Kafka broker that takes over our log. Source: Kafka's Utils.computeTopicHash
 * and computeGroupHash, KIP-1101.
 */
import type { MetadataImage, TopicImage } from '../../metadata/image.ts'
import { xxh3 } from './xxh3.ts'

/** Of the way in which topics are hashed. */
const version = 0

export class TopicHashes {
  /** By name. Of topics that were subscribed to. */
  readonly #hashes = new Map<string, { topic: TopicImage; readonly hash: bigint }>()

  /** 0 when none of the topics exists. */
  ofTopics(names: Iterable<string>, image: MetadataImage): bigint {
    const hashes: [name: string, hash: bigint][] = []
    for (const name of names) {
      const topic = image.topics.get(name)
      if (topic === undefined) this.#hashes.delete(name)
      else hashes.push([name, this.#ofTopic(topic, image)])
    }
    if (hashes.length === 0) return 0n
    hashes.sort(([one], [other]) => (one < other ? -1 : 1))
    const view = new DataView(new ArrayBuffer(hashes.length * 8))
    hashes.forEach(([, hash], index) => view.setBigInt64(index * 8, hash, true))
    return xxh3(new Uint8Array(view.buffer))
  }

  /**
   * Racks are those from when the replicas were last looked at: a broker that is away for a while takes its rack along, which is no reason
   * for groups to rebalance.
   */
  #ofTopic(topic: TopicImage, image: MetadataImage): bigint {
    const known = this.#hashes.get(topic.name)
    if (known !== undefined && (known.topic === topic || hasSameReplicas(known.topic, topic))) {
      known.topic = topic
      return known.hash
    }
    const hash = topicHash(topic, image)
    this.#hashes.set(topic.name, { topic, hash })
    return hash
  }
}

function hasSameReplicas(one: TopicImage, other: TopicImage): boolean {
  return (
    one.id === other.id &&
    one.partitions.length === other.partitions.length &&
    one.partitions.every(({ replicas }, partition) => {
      const others = other.partitions[partition]!.replicas
      return replicas.length === others.length && replicas.every((broker, index) => broker === others[index])
    })
  )
}

/** Numbers little-endian; strings as UTF-16 with their length behind them. */
function topicHash({ id, name, partitions }: TopicImage, image: MetadataImage): bigint {
  const racks = partitions.map(({ replicas }) =>
    replicas.flatMap((broker) => image.brokers.get(broker)?.rack ?? []).toSorted(compare),
  )
  let sizeBytes = 1 + 16 + name.length * 2 + 4 + 4 + partitions.length * 4
  for (const one of racks) for (const rack of one) sizeBytes += 4 + rack.length * 2 + 4
  const view = new DataView(new ArrayBuffer(sizeBytes))
  let at = 0
  const putInt = (value: number): void => {
    view.setInt32(at, value, true)
    at += 4
  }
  const putString = (text: string): void => {
    for (let index = 0; index < text.length; index++, at += 2) view.setUint16(at, text.charCodeAt(index), true)
    putInt(text.length)
  }
  view.setUint8(at++, version)
  const bytes = Buffer.from(id, 'base64url')
  for (const half of [0, 8]) {
    view.setBigUint64(at, bytes.readBigUInt64BE(half), true)
    at += 8
  }
  putString(name)
  putInt(partitions.length)
  racks.forEach((one, partition) => {
    putInt(partition)
    for (const rack of one) {
      putInt(rack.length)
      putString(rack)
    }
  })
  return xxh3(new Uint8Array(view.buffer))
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0
}
