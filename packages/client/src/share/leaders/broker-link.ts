/** What requests to one broker, as the leader of partitions, have in common: in whose name they go, and who is told what comes of them. */
import type { AcknowledgementOutcomes, WaitingAcknowledgements } from '../acknowledgements/waiting-acknowledgements.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import type { ShareConsumerSettings } from '../options.ts'
import type { AcquiredPart } from '../records/acquisition.ts'
import type { ShareMetrics } from '../share-metrics.ts'
import type { ShareSession } from './share-session.ts'

/** Who reads. */
export interface RecordReceiver {
  /** Records wanted; 0: none, so nothing is fetched. */
  readonly demand: number
  /** Resolves, with the number of records, when they are ready. Never rejects. */
  acquired(part: AcquiredPart): Promise<number>
  /** The application should know of it, and reading goes on. */
  troubled(error: Error): void
  /** Reading has ended for good. */
  failed(error: Error): void
}

export interface LockOutcomes extends AcknowledgementOutcomes {
  /** A broker has said for how long it locks records: 0 when it has not. */
  lockTold(lockTimeoutMs: number): void
}

/** The same for all brokers of a consumer. */
export interface LinkOptions {
  readonly memberId: string
  readonly cluster: Cluster
  readonly settings: ShareConsumerSettings
  readonly metrics: ShareMetrics
  readonly receiver: RecordReceiver
  readonly outcomes: LockOutcomes
}

export interface BrokerLink extends LinkOptions {
  readonly nodeId: number
  readonly session: ShareSession
  readonly acknowledgements: WaitingAcknowledgements
  /** Aborted when the broker is not to be talked to any more. */
  readonly signal: AbortSignal
  /** What fails from now on is nobody's concern. */
  readonly isClosing: boolean
}
