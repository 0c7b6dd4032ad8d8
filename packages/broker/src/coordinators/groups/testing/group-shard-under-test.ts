/**
 * A group shard over a log in memory, whose appends are refused and whose commits are held as a test says. Records go through their bytes, as
 * in the coordinator runtime, and time is simulated.
 */
import { consumerOffsetsRecords, ErrorCode, KafkaError } from '@millrace/protocol'
import { silentLogger, type Clock, type Logger } from '@millrace/runtime'
import { SeededRandom, SimulatedClock, SimulatedTime } from '@millrace/runtime/testing'
import { BrokerConfig } from '../../../config/broker-config.ts'
import type { PropertyInput } from '../../../config/properties.ts'
import type { MetadataDelta } from '../../../metadata/image.ts'
import { applyDelta, emptyImage } from '../../../metadata/metadata-delta.ts'
import { decodeRecord, encodeRecord, type EncodedRecord } from '../../runtime/coordinator-batch.ts'
import type { TransactionResult } from '../../runtime/coordinator-shard.ts'
import type { Decision, ProducerIdentity } from '../../runtime/decision.ts'
import { ShardTimers } from '../../runtime/shard-timers.ts'
import type { GroupClient } from '../group-part.ts'
import { GroupShard } from '../group-shard.ts'

type Entry =
  | { readonly records: readonly EncodedRecord[]; readonly transaction: ProducerIdentity | null }
  | { readonly marker: TransactionResult; readonly producer: ProducerIdentity }

export interface GroupShardUnderTestOptions {
  readonly configs?: Readonly<Record<string, PropertyInput>>
  readonly seed?: number
}

export class GroupShardUnderTest {
  readonly time = new SimulatedTime()
  readonly clock: Clock = new SimulatedClock(this.time)
  readonly warnings: string[] = []
  shard!: GroupShard
  /** Appends are refused with it. */
  refusal: KafkaError | null = null
  /** Commits wait for `commit`. */
  holdsCommits = false
  image = emptyImage()
  #config: BrokerConfig
  readonly #random: SeededRandom
  readonly #log: Entry[] = []
  #committed = 0
  #timers!: ShardTimers
  #waiting: ((error: KafkaError | null) => void)[] = []

  constructor({ configs = {}, seed = 1 }: GroupShardUnderTestOptions = {}) {
    this.#config = configOf(configs)
    this.#random = new SeededRandom(seed)
    this.#load()
  }

  get logLength(): number {
    return this.#log.length
  }

  get hasUncommitted(): boolean {
    return this.#committed < this.#log.length
  }

  /** As `ShardHost.write`. */
  async write<T>(decide: (shard: GroupShard) => Decision<T>): Promise<T> {
    const decision = decide(this.shard)
    const { records, transaction = null, replays = true, applied, settled, response } = decision
    if (records.length > 0) {
      const encoded = records.map(encodeRecord)
      if (this.refusal !== null) {
        settled?.(this.refusal)
        throw this.refusal
      }
      this.#log.push({ records: encoded, transaction })
      if (replays) apply(this.shard, this.#log, this.#log.length - 1)
    }
    applied?.()
    await this.#untilCommitted(settled).catch((error: unknown) => {
      if (response instanceof Promise) response.catch(() => {})
      throw error
    })
    return response
  }

  endTransaction(producer: ProducerIdentity, marker: TransactionResult): void {
    this.#log.push({ marker, producer })
    this.shard.endTransaction(producer, marker)
    if (!this.holdsCommits) this.commit()
  }

  /** Everything appended up to now. */
  commit(): void {
    this.#committed = this.#log.length
    const ready = this.#waiting
    this.#waiting = []
    for (const settle of ready) settle(null)
  }

  /** Another broker takes over, and this one again: what was not committed is lost. */
  moveAway(configs: GroupShardUnderTestOptions['configs'] = {}): void {
    this.#config = configOf(configs)
    this.#log.length = this.#committed
    this.#timers.close()
    this.shard.unloaded()
    const lost = this.#waiting
    this.#waiting = []
    for (const settle of lost) settle(new KafkaError(ErrorCode.NOT_COORDINATOR))
    this.#load()
  }

  /** A shard of its own that has read the first `length` entries of the log. It does nothing by itself. */
  reloaded(length = this.#log.length): GroupShard {
    const timers = this.#newTimers()
    const shard = this.#newShard(timers)
    for (let index = 0; index < length; index++) apply(shard, this.#log, index)
    timers.close()
    return shard
  }

  changeMetadata(delta: MetadataDelta): void {
    this.image = applyDelta(this.image, delta)
    this.shard.metadataChanged(this.image, new Set(delta.topics?.keys()))
  }

  client(apiVersion: number): GroupClient {
    return { clientId: 'client', clientHost: '/127.0.0.1', apiVersion }
  }

  #load(): void {
    this.#timers = this.#newTimers()
    this.shard = this.#newShard(this.#timers)
    for (let index = 0; index < this.#log.length; index++) apply(this.shard, this.#log, index)
    this.shard.metadataChanged(this.image, null)
    this.shard.loaded()
  }

  #newTimers(): ShardTimers {
    return new ShardTimers({
      clock: this.clock,
      logger: silentLogger,
      write: (decide) => this.write(() => decide()),
    })
  }

  #newShard(timers: ShardTimers): GroupShard {
    const { clock, warnings } = this
    const random = this.#random
    const image = () => this.image
    const logger: Logger = { ...silentLogger, warn: (message) => void warnings.push(message), child: () => logger }
    return new GroupShard(
      {
        partition: 0,
        epoch: 0,
        clock,
        random,
        logger,
        timers,
        get image() {
          return image()
        },
        write: (decide) => this.write(() => decide()),
      },
      this.#config,
    )
  }

  #untilCommitted(settled: Decision<unknown>['settled']): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (error: KafkaError | null): void => {
        settled?.(error)
        if (error === null) resolve()
        else reject(error)
      }
      if (!this.holdsCommits) this.commit()
      if (this.hasUncommitted) this.#waiting.push(settle)
      else settle(null)
    })
  }
}

function configOf(configs: GroupShardUnderTestOptions['configs']): BrokerConfig {
  return BrokerConfig.of({ 'log.dirs': '/none', ...configs })
}

function apply(shard: GroupShard, log: readonly Entry[], index: number): void {
  const entry = log[index]!
  if ('marker' in entry) return shard.endTransaction(entry.producer, entry.marker)
  for (const [delta, { key, value }] of entry.records.entries())
    shard.replay(decodeRecord(consumerOffsetsRecords, key, value)!, {
      // Far apart, so that each record has its own.
      offset: BigInt(index * 1000 + delta),
      transaction: entry.transaction,
    })
}
