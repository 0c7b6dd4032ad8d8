/** One of everything a client does, each with a deadline. What comes of it does not matter, as long as it comes. */
import { errorName, Kafka, KafkaError, serde } from '@millrace/client'
import { crc32 } from 'node:zlib'
import type { RoundOrder, RoundReport } from './messages.ts'

interface Patience {
  /** What an operation may take. */
  readonly workMs: number
  readonly requestMs: number
  /** Everything of a round must be over by then. */
  readonly deadlineMs: number
}

/** Where answers do not come, time-outs are short, so that a round is. */
const amongHostiles: Patience = { workMs: 1500, requestMs: 400, deadlineMs: 12_000 }
/** In peace everything must succeed, also on a busy machine: the time-outs are only there so that what hangs is told of. */
const inPeace: Patience = { workMs: 20_000, requestMs: 10_000, deadlineMs: 40_000 }
/** So many records each round writes at least. */
const recordsPerRound = 20
export const topic = 'victims'

/** A value that tells whether it has been damaged. */
export function sealed(text: string): string {
  return `${crc32(text)}:${text}`
}

const isSealed = (value: string) => sealed(value.slice(value.indexOf(':') + 1)) === value

/** Names that are ours, or the platform's for what was cancelled. Anything else is a mistake in our code. */
function isExpected(error: unknown): boolean {
  if (error instanceof KafkaError) return true
  return error instanceof Error && (error.name === 'AbortError' || error.name === 'TimeoutError')
}

export class Workload {
  readonly #bugs: string[] = []
  readonly #endings = new Map<string, number>()
  readonly #kafka: Kafka
  readonly #round: number
  readonly #work: RoundOrder['work']
  readonly #isPeaceful: boolean
  readonly #patience: Patience

  constructor({ bootstrap, round, work, isPeaceful }: RoundOrder) {
    this.#round = round
    this.#work = work
    this.#isPeaceful = isPeaceful
    // A first connection that is cut may leave a request unanswered, which is not to hold up the little there is to do.
    this.#patience = isPeaceful && work === 'everything' ? inPeace : amongHostiles
    this.#kafka = new Kafka({
      brokers: bootstrap,
      clientId: 'victim',
      requestTimeoutMs: this.#patience.requestMs,
      defaultApiTimeoutMs: this.#patience.workMs,
      retryBackoffMs: 5,
      retryBackoffMaxMs: 50,
      reconnectBackoffMs: 2,
      reconnectBackoffMaxMs: 50,
      socketConnectionSetupTimeoutMs: this.#patience.requestMs,
      socketConnectionSetupTimeoutMaxMs: 2 * this.#patience.requestMs,
    })
  }

  async run(): Promise<RoundReport> {
    await (this.#work === 'little' ? this.#askAndWrite() : this.#doEverything())
    return {
      round: this.#round,
      bugs: this.#bugs,
      endings: Object.fromEntries(this.#endings),
      residentBytes: process.memoryUsage.rss(),
    }
  }

  async #doEverything(): Promise<void> {
    await Promise.all([
      this.#produce(),
      this.#transact(),
      this.#read(),
      this.#readAsMember(),
      this.#share(),
      this.#administer(),
    ])
  }

  async #askAndWrite(): Promise<void> {
    const producer = this.#kafka.producer({ topic, value: serde.string, lingerMs: 0 })
    await this.#settled('send', () => producer.send({ value: sealed(`little of round ${this.#round}`) }))
    await this.#settled('close the producer', () => producer.close({ timeoutMs: this.#patience.workMs }))
  }

  async #produce(): Promise<void> {
    const producer = this.#kafka.producer({
      topic,
      key: serde.string,
      value: serde.string,
      deliveryTimeoutMs: this.#patience.workMs,
      maxBlockMs: this.#patience.workMs,
      lingerMs: 0,
      compressionType: (['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const)[this.#round % 5]!,
      enableIdempotence: this.#round % 2 === 0,
    })
    const values = Array.from({ length: recordsPerRound }, (_, at) => sealed(`round ${this.#round}, record ${at}`))
    await Promise.all(
      values.map((value, at) => this.#settled('send', () => producer.send({ key: `key ${at % 3}`, value }))),
    )
    await this.#settled('flush', () => producer.flush())
    await this.#settled('close the producer', () => producer.close({ timeoutMs: this.#patience.workMs }))
  }

  async #transact(): Promise<void> {
    const producer = this.#kafka.producer({
      topic,
      value: serde.string,
      transactionalId: `victim-${this.#round % 3}`,
      deliveryTimeoutMs: this.#patience.workMs,
      maxBlockMs: this.#patience.workMs,
      lingerMs: 0,
    })
    await this.#settled('transaction', () =>
      producer.transaction(async (transaction) => {
        await transaction.send({ value: sealed(`transaction of round ${this.#round}`) })
        await transaction.sendOffsets([{ topic, partition: 0, offset: 1n }], 'victim-transactions')
      }),
    )
    await this.#settled('close the transactional producer', () => producer.close({ timeoutMs: this.#patience.workMs }))
  }

  async #read(): Promise<void> {
    const consumer = this.#kafka.consumer({
      value: serde.string,
      offsetReset: 'earliest',
      isolationLevel: this.#round % 2 === 0 ? 'read_uncommitted' : 'read_committed',
      fetchMaxWaitMs: 50,
    })
    consumer.assign([0, 1, 2].map((partition) => ({ topic, partition })))
    await this.#settled('read', async () => {
      let count = 0
      for await (const batch of consumer.batches({ signal: AbortSignal.timeout(this.#patience.workMs) })) {
        for (const { value, offset } of batch) {
          count++
          this.#checkValue(value, `offset ${offset}`)
        }
        if (this.#hasReadEnough(count)) break
      }
      this.#checkEnough(count, 'read')
    })
    await this.#settled('close the consumer', () => consumer.close({ timeoutMs: this.#patience.workMs }))
  }

  /** A group of its own in peace: members that a hostile round left behind keep their partitions until their sessions end. */
  #group(name: string): string {
    return `${name}-${this.#round}${this.#isPeaceful ? '-in-peace' : ''}`
  }

  async #readAsMember(): Promise<void> {
    const consumer = this.#kafka.consumer({
      groupId: this.#group('victims'),
      topics: [topic],
      value: serde.string,
      offsetReset: 'earliest',
      groupProtocol: (['auto', 'classic', 'consumer'] as const)[this.#round % 3]!,
      fetchMaxWaitMs: 50,
      autoCommitIntervalMs: 200,
    })
    await this.#settled('read as a member', async () => {
      let count = 0
      for await (const { value, offset } of consumer.records({ signal: AbortSignal.timeout(this.#patience.workMs) })) {
        count++
        this.#checkValue(value, `offset ${offset}`)
        if (this.#hasReadEnough(count)) break
      }
      this.#checkEnough(count, 'read as a member')
    })
    await this.#settled('commit', () => consumer.commit())
    await this.#settled('close the member', () => consumer.close({ timeoutMs: this.#patience.workMs }))
  }

  async #share(): Promise<void> {
    const consumer = this.#kafka.shareConsumer({
      groupId: this.#group('victims-sharing'),
      topics: [topic],
      value: serde.string,
      fetchMaxWaitMs: 50,
    })
    await this.#settled('read shared records', async () => {
      // In peace, too: a share group begins where it finds the end, so there may be nothing for it.
      for await (const { value, offset } of consumer.records({ signal: AbortSignal.timeout(amongHostiles.workMs) }))
        this.#checkValue(value, `offset ${offset}`)
    })
    await this.#settled('commit acknowledgements', () => consumer.commit())
    await this.#settled('close the share consumer', () => consumer.close({ timeoutMs: this.#patience.workMs }))
  }

  async #administer(): Promise<void> {
    const admin = this.#kafka.admin()
    const calls: Record<string, () => Promise<unknown>> = {
      'list topics': () => admin.listTopics(),
      'describe topics': () => admin.describeTopics([topic]),
      'create topics': () => admin.createTopics([{ name: `${topic}-${this.#round}`, numPartitions: 1 }]),
      'describe configs': () => admin.describeConfigs([{ type: 'TOPIC', name: topic }]),
      'list groups': () => admin.listGroups(),
      'describe groups': () => admin.describeConsumerGroups([`victims-${this.#round - 1}`]),
      'list offsets': () => admin.listOffsets([{ topic, partition: 0, offset: 'latest' }]),
      'list offsets of groups': () => admin.listGroupOffsets([`victims-${this.#round - 1}`]),
      'describe the cluster': () => admin.describeCluster(),
      'list transactions': () => admin.listTransactions(),
    }
    // What may well be refused though nobody is hostile: what was made before is there, and groups may be gone.
    const mayFail = new Set(['create topics', 'describe groups'])
    await Promise.all(
      Object.entries(calls).map(([what, call]) =>
        this.#settled(what, () =>
          this.#isPeaceful && mayFail.has(what)
            ? call().catch((error: unknown) => isExpected(error) || Promise.reject(error))
            : call(),
        ),
      ),
    )
    await this.#settled('close the admin', async () => admin[Symbol.asyncDispose]())
  }

  /** Waits for `work`, not for ever, and notes how it ended. */
  async #settled(what: string, work: () => Promise<unknown>): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), this.#patience.deadlineMs)
    })
    let ending: string
    try {
      const result = await Promise.race([work(), late])
      ending = result === 'late' ? 'hung' : 'done'
      if (result === 'late') this.#bugs.push(`${what} hung`)
    } catch (error) {
      ending = error instanceof KafkaError ? errorName(error.code) : String((error as Error)?.name)
      if (this.#isPeaceful || !isExpected(error))
        this.#bugs.push(`${what} failed with ${(error as Error)?.stack ?? String(error)}`)
    }
    clearTimeout(timer)
    const key = `${what}: ${ending}`
    this.#endings.set(key, (this.#endings.get(key) ?? 0) + 1)
  }

  /** In peace reading ends with what this round has written, if not before it; among hostiles it goes on for its time. */
  #hasReadEnough(count: number): boolean {
    return this.#isPeaceful && count >= recordsPerRound
  }

  #checkEnough(count: number, what: string): void {
    if (this.#isPeaceful && count < recordsPerRound)
      this.#bugs.push(`${what} read ${count} records in all the time it had`)
  }

  #checkValue(value: string | null, where: string): void {
    if (value === null || !isSealed(value)) this.#bugs.push(`${where} read what nobody wrote: ${JSON.stringify(value)}`)
  }
}
