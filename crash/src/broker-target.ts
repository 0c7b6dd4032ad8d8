/** A whole broker as users start it, driven over the wire. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { connectToBroker, type BrokerConnection } from '@millrace/network'
import {
  CreateTopics,
  ErrorCode,
  errorName,
  forEachBatch,
  KafkaError,
  lastOffset,
  ListOffsets,
  Produce,
  readRecords,
  RecordBatchBuilder,
} from '@millrace/protocol'
import { nodeRuntime } from '@millrace/runtime'
import {
  cleaningPattern,
  keyOf,
  partitions,
  recoveryPattern,
  TargetGoneError,
  topicProperties,
  type CrashPartition,
  type CrashTarget,
  type StoredRecord,
} from './crash-target.ts'
import { fetchPartition } from './fetch-partition.ts'

const root = join(import.meta.dirname, '..', '..')
const { clock, transport } = nodeRuntime()
const startTimeoutMs = 30_000
/** The last version that names topics by name. */
const produceVersion = 9

/** Invariant: `#connection` is open only while `#child` lives. */
export class BrokerTarget implements CrashTarget {
  readonly #directory: string
  #port = 0
  #child: ChildProcess | null = null
  #exited: Promise<unknown> = Promise.resolve()
  #connection: BrokerConnection | null = null
  #lines: string[] = []

  constructor(directory: string) {
    this.#directory = directory
  }

  async start(): Promise<void> {
    this.#lines = []
    this.#port = await freePort()
    const overrides = {
      listeners: `PLAINTEXT://127.0.0.1:${this.#port}`,
      'log.dirs': this.#directory,
      // Often enough for a run of seconds.
      'log.initial.task.delay.ms': 20,
      'log.cleaner.backoff.ms': 20,
      'log.flush.offset.checkpoint.interval.ms': 50,
      'log.flush.start.offset.checkpoint.interval.ms': 50,
      'replica.high.watermark.checkpoint.interval.ms': 20,
    }
    const child = spawn(
      process.execPath,
      [
        '--conditions=source',
        join(root, 'packages/millrace/src/command.ts'),
        'start',
        '--log-format=json',
        ...Object.entries(overrides).flatMap(([name, value]) => ['--override', `${name}=${value}`]),
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    )
    this.#child = child
    createInterface({ input: child.stderr }).on('line', (line) => this.#lines.push(line))
    this.#exited = once(child, 'close').then(() => {
      this.#child = null
    })
    await this.#connect()
    await this.#createTopics()
    await this.#untilLed()
  }

  async #connect(): Promise<void> {
    const deadline = clock.monotonicMs() + startTimeoutMs
    for (;;) {
      if (this.#child === null)
        throw new TargetGoneError(`the broker ended while starting:\n${this.#lines.slice(-20).join('\n')}`)
      try {
        this.#connection = await connectToBroker(
          transport,
          { host: '127.0.0.1', port: this.#port },
          { clock, clientId: 'crash', connectTimeoutMs: 5000 },
        )
        return
      } catch (error) {
        if (clock.monotonicMs() > deadline) throw error
        await sleep(10)
      }
    }
  }

  async #createTopics(): Promise<void> {
    const names = [...new Set(partitions.map(({ topic }) => topic))]
    const { topics } = await this.#ask((broker) =>
      broker.send(CreateTopics, {
        topics: names.map((name) => ({
          name,
          numPartitions: partitions.filter(({ topic }) => topic === name).length,
          replicationFactor: 1,
          assignments: [],
          configs: Object.entries(topicProperties(name)).map(([key, value]) => ({ name: key, value })),
        })),
        timeoutMs: 10_000,
        validateOnly: false,
      }),
    )
    for (const { name, errorCode, errorMessage } of topics)
      if (errorCode !== ErrorCode.NONE && errorCode !== ErrorCode.TOPIC_ALREADY_EXISTS)
        throw new Error(`creating ${name}: ${errorName(errorCode)} ${errorMessage}`)
  }

  async #untilLed(): Promise<void> {
    const deadline = clock.monotonicMs() + startTimeoutMs
    for (const partition of partitions)
      while ((await this.#endOf(partition)) === null) {
        if (clock.monotonicMs() > deadline) throw new Error(`${partition.topic}-${partition.partition} has no leader`)
        await sleep(10)
      }
  }

  /** The high watermark; null while there is no leader. */
  async #endOf({ topic, partition }: CrashPartition): Promise<bigint | null> {
    const { topics } = await this.#ask((broker) =>
      broker.send(ListOffsets, {
        replicaId: -1,
        isolationLevel: 0,
        topics: [{ name: topic, partitions: [{ partitionIndex: partition, timestamp: -1n }] }],
        timeoutMs: 5000,
      }),
    )
    const answer = topics[0]!.partitions[0]!
    return answer.errorCode === ErrorCode.NONE ? answer.offset : null
  }

  async append({ topic, partition }: CrashPartition, values: readonly string[]): Promise<bigint> {
    const builder = new RecordBatchBuilder()
    for (const value of values) {
      const key = keyOf(topic, value)
      builder.append({
        timestamp: BigInt(clock.now()),
        key: key === null ? null : Buffer.from(key),
        value: Buffer.from(value),
      })
    }
    const { responses } = await this.#ask((broker) =>
      broker.send(
        Produce,
        {
          acks: -1,
          timeoutMs: 10_000,
          topicData: [{ name: topic, partitionData: [{ index: partition, records: builder.build() }] }],
        },
        { version: produceVersion },
      ),
    )
    const { errorCode, baseOffset, errorMessage } = responses[0]!.partitionResponses[0]!
    if (errorCode !== ErrorCode.NONE)
      throw new Error(`${topic}-${partition}: Produce was answered with ${errorName(errorCode)}: ${errorMessage}`)
    return baseOffset
  }

  async read(where: CrashPartition, from: bigint): Promise<StoredRecord[]> {
    const end = await this.#endOf(where)
    if (end === null) throw new Error(`${where.topic}-${where.partition} has lost its leader`)
    const records: StoredRecord[] = []
    for (let offset = from; offset < end;) {
      const before = offset
      const bytes = await this.#fetch(where, offset)
      forEachBatch(bytes, (at, sizeBytes) => {
        for (const record of readRecords(bytes.subarray(at, at + sizeBytes))) {
          if (record.offset < offset) continue
          records.push({ offset: record.offset, value: Buffer.from(record.value!).toString() })
        }
        if (lastOffset(bytes, at) >= offset) offset = lastOffset(bytes, at) + 1n
      })
      if (offset === before) throw new Error(`${where.topic}-${where.partition}: nothing could be read at ${offset}`)
    }
    return records
  }

  async #fetch({ topic, partition }: CrashPartition, fetchOffset: bigint): Promise<Uint8Array> {
    const answer = await this.#ask((broker) => fetchPartition(broker, { topic, partition, fetchOffset }))
    if (answer.errorCode !== ErrorCode.NONE)
      throw new Error(`${topic}-${partition}: Fetch at ${fetchOffset} was answered with ${errorName(answer.errorCode)}`)
    return answer.records ?? new Uint8Array(0)
  }

  /** A request whose connection breaks was not answered because the process was killed. */
  async #ask<T>(send: (broker: BrokerConnection) => Promise<T>): Promise<T> {
    if (this.#connection === null) throw new TargetGoneError('the broker is gone')
    try {
      return await send(this.#connection)
    } catch (error) {
      if (error instanceof KafkaError && error.code === ErrorCode.NETWORK_EXCEPTION)
        throw new TargetGoneError('the broker went away', { cause: error })
      throw error
    }
  }

  kill(): Promise<void> {
    return this.#end('SIGKILL')
  }

  stop(): Promise<void> {
    return this.#end('SIGTERM')
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    this.#child?.kill(signal)
    await this.#exited
    const connection = this.#connection
    this.#connection = null
    await connection?.[Symbol.asyncDispose]()
  }

  recoveryLines(): readonly string[] {
    return this.#lines.filter((line) => recoveryPattern.test(line))
  }

  cleanings(): number {
    return this.#lines.filter((line) => cleaningPattern.test(line)).length
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}
