/** Finds the topics that regular expressions stand for. Source: Kafka's TopicRegexResolver. */
import { type Clock, TimeSlice } from '@millrace/runtime'
import type { MetadataImage } from '../../../metadata/image.ts'
import type { RegexEngine } from './regex-engine.ts'
import type { ResolvedRegex } from './subscriptions.ts'

export interface RegexesToResolve {
  /** Valid ones. */
  readonly regexes: Iterable<string>
  readonly engine: RegexEngine
  readonly image: MetadataImage
  readonly clock: Clock
  /** Whether who subscribes may know of the topic. */
  readonly mayDescribe: (topic: string) => boolean
}

/** In slices: many topics times many expressions take a while. The image is the one of the start, however long it takes. */
export async function resolveRegexes({
  regexes,
  engine,
  image,
  clock,
  mayDescribe,
}: RegexesToResolve): Promise<Map<string, ResolvedRegex>> {
  const slice = new TimeSlice(clock)
  const timestampMs = clock.now()
  const resolved = new Map<string, ResolvedRegex>()
  for (const regex of regexes) {
    const pattern = engine.compile(regex)
    const topics = new Set<string>()
    for (const topic of image.topics.keys()) {
      if (pattern.matches(topic) && mayDescribe(topic)) topics.add(topic)
      if (slice.isOver) await slice.next()
    }
    resolved.set(regex, { topics, version: BigInt(image.version), timestampMs })
  }
  return resolved
}
