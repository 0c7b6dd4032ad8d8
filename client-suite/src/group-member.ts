// Members of a group that read in the background, and what they saw.
import type { Consumer, ConsumerOptions, TopicPartition } from '@millrace/client'
import { serde } from '@millrace/client'
import type { Bench } from './bench.ts'

export interface RebalanceEvent {
  readonly kind: 'assigned' | 'revoked' | 'lost'
  readonly partitions: readonly number[]
}

const numbersOf = (partitions: readonly TopicPartition[]) =>
  partitions.map(({ partition }) => partition).toSorted((a, b) => a - b)

export class GroupMember {
  readonly consumer: Consumer<Uint8Array, string>
  readonly events: RebalanceEvent[] = []
  /** `partition/value`, as they came. */
  readonly read: string[] = []
  readonly errors: Error[] = []
  readonly #reading: Promise<void>
  failure: unknown = null

  constructor(bench: Bench, options: ConsumerOptions<Uint8Array, string>) {
    const note = (kind: RebalanceEvent['kind']) => (partitions: readonly TopicPartition[]) =>
      void this.events.push({ kind, partitions: numbersOf(partitions) })
    this.consumer = bench.use(
      bench.kafka().consumer({
        value: serde.string,
        offsetReset: 'earliest',
        fetchMaxWaitMs: 50,
        heartbeatIntervalMs: 200,
        sessionTimeoutMs: 30_000,
        ...(options.groupProtocol === 'consumer'
          ? { heartbeatIntervalMs: undefined, sessionTimeoutMs: undefined }
          : {}),
        onRebalance: { onAssigned: note('assigned'), onRevoked: note('revoked'), onLost: note('lost') },
        onError: (error) => void this.errors.push(error),
        ...options,
      }),
    )
    this.#reading = this.#readAll().catch((error: unknown) => {
      this.failure = error
    })
  }

  async #readAll(): Promise<void> {
    for await (const { partition, value } of this.consumer) this.read.push(`${partition}/${value}`)
  }

  get partitions(): readonly number[] {
    return numbersOf(this.consumer.assignment())
  }

  async close(options?: Parameters<Consumer<Uint8Array, string>['close']>[0]): Promise<void> {
    await this.consumer.close(options)
    await this.#reading
    if (this.failure !== null) throw this.failure
  }
}
