/** What the coordinators of a broker have in common: each follows the metadata and lives on a CoordinatorRuntime. */
import type { MetadataImage } from '../metadata/image.ts'
import type { BrokerServices } from '../server/broker-services.ts'
import type { CoordinatorRuntimeOptions } from './runtime/coordinator-runtime.ts'
import type { CoordinatorShard } from './runtime/coordinator-shard.ts'

export interface Coordinator {
  /** After the partitions have followed the image. `changedTopics` null: all, at the start. */
  apply(image: MetadataImage, changedTopics: ReadonlySet<string> | null): void
  /** A log directory has failed, and the partitions have gone offline that were in it. */
  directoryFailed(): void
  /** Refuses everything, also requests that wait. */
  close(): void
}

/** What the runtime of every coordinator takes from the broker. */
export function runtimeServices(
  services: BrokerServices,
): Pick<CoordinatorRuntimeOptions<CoordinatorShard>, 'partitions' | 'clock' | 'random' | 'logger' | 'image'> {
  const { partitions, clock, random, logger, metadata } = services
  return { partitions, clock, random, logger, image: () => metadata.image }
}
