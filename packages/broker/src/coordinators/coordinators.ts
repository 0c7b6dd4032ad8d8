/** The coordinators of one broker. */
import type { MetadataImage } from '../metadata/image.ts'
import type { BrokerServices } from '../server/broker-services.ts'
import type { Coordinator } from './coordinator.ts'
import { GroupCoordinator } from './groups/group-coordinator.ts'

export class Coordinators {
  readonly groups: GroupCoordinator
  readonly #all: readonly Coordinator[]

  constructor(services: BrokerServices) {
    this.groups = new GroupCoordinator(services)
    this.#all = [this.groups]
  }

  apply(image: MetadataImage, changedTopics: ReadonlySet<string> | null): void {
    for (const coordinator of this.#all) coordinator.apply(image, changedTopics)
  }

  close(): void {
    for (const coordinator of this.#all) coordinator.close()
  }
}
