/**
 * The persister of a broker: asks the share coordinator, and asks again while that is on its way. Coordinators on other brokers are not
 * reached yet, as partitions have one replica: a share partition's leader and its coordinator are the same broker.
 */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { Clock } from '@millrace/runtime'
import type { ShareCoordinator } from '../coordinators/share-state/share-coordinator.ts'
import type { SharePartitionKey } from '../coordinators/share-partition-key.ts'
import type { PersistedState, Persister, StateSummary, StateWrite } from './persister.ts'

/** As Kafka's PersisterStateManager. */
const maxAttempts = 5
const firstBackoffMs = 100
const maxBackoffMs = 1000

const passing: readonly number[] = [
  ErrorCode.COORDINATOR_NOT_AVAILABLE,
  ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
  ErrorCode.NOT_COORDINATOR,
]

export class CoordinatedPersister implements Persister {
  readonly #coordinator: ShareCoordinator
  readonly #clock: Clock

  constructor(options: { coordinator: ShareCoordinator; clock: Clock }) {
    this.#coordinator = options.coordinator
    this.#clock = options.clock
  }

  read(key: SharePartitionKey, leaderEpoch: number): Promise<PersistedState> {
    return this.#ask((coordinator) => coordinator.read(key, leaderEpoch))
  }

  /** One that is tried again may come after a later one: the coordinator combines them so that the order does not matter. */
  write(key: SharePartitionKey, write: StateWrite): Promise<void> {
    return this.#ask((coordinator) => coordinator.write(key, write))
  }

  readSummary(key: SharePartitionKey): Promise<StateSummary> {
    return this.#ask((coordinator) => coordinator.readSummary(key))
  }

  initialize(key: SharePartitionKey, start: { stateEpoch: number; startOffset: bigint }): Promise<void> {
    return this.#ask((coordinator) => coordinator.initialize(key, start))
  }

  delete(key: SharePartitionKey): Promise<void> {
    return this.#ask((coordinator) => coordinator.delete(key))
  }

  async #ask<T>(question: (coordinator: ShareCoordinator) => Promise<T>): Promise<T> {
    let backoffMs = firstBackoffMs
    for (let attempt = 1; ; attempt++) {
      try {
        return await question(this.#coordinator)
      } catch (error) {
        if (!(error instanceof KafkaError) || !passing.includes(error.code) || attempt === maxAttempts) throw error
        await this.#coordinator.ensureTopic()
        await this.#clock.sleep(backoffMs)
        backoffMs = Math.min(backoffMs * 2, maxBackoffMs)
      }
    }
  }
}
