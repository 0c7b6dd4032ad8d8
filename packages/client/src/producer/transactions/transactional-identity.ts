/**
 * Who a transactional producer is to brokers: its coordinator gives it an id and an epoch for its transactional id (InitProducerId), and by the
 * protocol of `transaction.version` 2 the next epoch with each end of a transaction (EndTxn).
 */
import { EndTxn, InitProducerId } from '@millrace/protocol'
import { noProducer, type ProducerIdAndEpoch } from '../identity/partition-sequences.ts'
import type { Identity } from '../sending/sender-options.ts'
import type { CoordinatorRequests } from './coordinator-requests.ts'
import type { TransactionProtocol } from './transaction-protocol.ts'

/** The newest version of EndTxn that means the protocol before `transaction.version` 2. */
const CLASSIC_END_TXN = 4
/** The first version of InitProducerId that is told the epoch to be followed (KIP-360). */
const BUMPS_EPOCH_SINCE = 3

export interface TransactionalIdentityOptions {
  readonly transactionalId: string
  readonly transactionTimeoutMs: number
  /** Told of each id and epoch. */
  readonly identity: Identity
  readonly requests: CoordinatorRequests
  readonly protocol: TransactionProtocol
}

export class TransactionalIdentity {
  readonly #options: TransactionalIdentityOptions

  constructor(options: TransactionalIdentityOptions) {
    this.#options = options
  }

  /** As requests name it. */
  get fields(): { transactionalId: string; producerId: bigint; producerEpoch: number } {
    const { transactionalId, identity } = this.#options
    const { id, epoch } = identity.producer
    return { transactionalId, producerId: id, producerEpoch: epoch }
  }

  /** Gets an id; the coordinator ends what an earlier producer with this transactional id has left open. */
  acquire(): Promise<void> {
    return this.#initialize(noProducer)
  }

  /** Gets the next epoch, and begins all partitions at 0. */
  async renew(): Promise<void> {
    const { identity } = this.#options
    await this.#initialize(identity.producer)
    identity.restartAll()
  }

  /** Has the coordinator end the transaction. An epoch that comes with the answer is the next one's. */
  async endTransaction(outcome: 'commit' | 'abort'): Promise<void> {
    const { transactionalId, identity, requests, protocol } = this.#options
    const { producerId, producerEpoch } = await requests.ask({
      request: `EndTxn (${outcome})`,
      api: EndTxn,
      coordinator: 'transaction',
      key: transactionalId,
      body: { ...this.fields, committed: outcome === 'commit' },
      ...(protocol.isVersion2 ? {} : { maxVersion: CLASSIC_END_TXN }),
      codeOf: ({ errorCode }) => errorCode,
    })
    if (producerId < 0n) return
    identity.become({ id: producerId, epoch: producerEpoch })
    identity.restartAll()
  }

  async #initialize(previous: ProducerIdAndEpoch): Promise<void> {
    const { transactionalId, transactionTimeoutMs, identity, requests, protocol } = this.#options
    const { producerId, producerEpoch } = await requests.ask({
      request: 'InitProducerId',
      api: InitProducerId,
      coordinator: 'transaction',
      key: transactionalId,
      body: (version) => {
        protocol.coordinatorBumpsEpochs = version >= BUMPS_EPOCH_SINCE
        return protocol.coordinatorBumpsEpochs
          ? { transactionalId, transactionTimeoutMs, producerId: previous.id, producerEpoch: previous.epoch }
          : { transactionalId, transactionTimeoutMs }
      },
      codeOf: ({ errorCode }) => errorCode,
    })
    identity.become({ id: producerId, epoch: producerEpoch })
  }
}
