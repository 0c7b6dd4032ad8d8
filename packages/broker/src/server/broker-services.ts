import type { CodecWorker } from '@millrace/protocol'
import type { BufferPool, Clock, Logger, Random } from '@millrace/runtime'
import type { LogManager } from '@millrace/storage'
import type { BrokerConfig } from '../config/broker-config.ts'
import type { ShareGroupService } from '../coordinators/groups/share/share-group-service.ts'
import type { Coordinators } from '../coordinators/coordinators.ts'
import type { Controller } from '../controller/controller.ts'
import type { MetadataCache } from '../metadata/metadata-cache.ts'
import type { FetchSessions } from '../partitions/fetch-sessions.ts'
import type { ResponseMemory } from '../partitions/response-memory.ts'
import type { Partitions } from '../partitions/partitions.ts'
import type { ProducerIds } from '../controller/producer-ids.ts'
import type { Sharing } from '../sharing/sharing.ts'
import type { Handler } from './handler.ts'

/** Everything of a broker that handlers may use. One per broker; no globals, so that two brokers in one process do not meet. */
export interface BrokerServices {
  readonly nodeId: number
  readonly clusterId: string
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly config: BrokerConfig
  readonly metadata: MetadataCache
  readonly controller: Controller
  readonly partitions: Partitions
  readonly coordinators: Coordinators
  readonly sharing: Sharing
  readonly shareGroups: ShareGroupService
  readonly logs: LogManager
  readonly fetchSessions: FetchSessions
  readonly producerIds: ProducerIds
  /** For the payload of responses. */
  readonly buffers: BufferPool
  readonly responseMemory: ResponseMemory
  /** Unpacks and packs large compressed batches off the event loop. */
  readonly codecWorker: CodecWorker
  readonly handlers: ReadonlyMap<number, Handler>
}
