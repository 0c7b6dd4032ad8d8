/** The process that is killed: opens a LogManager in the directory given, appends and reads as it is told over IPC. */
import { nodeRuntime, type Logger } from '@millrace/runtime'
import { forEachBatch, lastOffset, readRecords, RecordBatchBuilder } from '@millrace/protocol'
import {
  defaultCleanerConfig,
  defaultLogConfig,
  LogManager,
  validateRecords,
  type LogConfig,
  type PartitionLog,
} from '@millrace/storage'
import { keyOf, topicProperties, type StoredRecord } from './crash-target.ts'

export type Request =
  | { id: number; kind: 'append'; topic: string; partition: number; values: readonly string[] }
  | { id: number; kind: 'read'; topic: string; partition: number; offset: bigint }

/** Request 0 is answered unasked, when the logs are open. */
export interface Reply {
  id: number
  error?: string
  offset?: bigint
  records?: StoredRecord[]
}

const topicId = 'Kz4yv2W1T8qY0AbCdEfGhA'
const { clock, disk, random } = nodeRuntime()
const encoder = new TextEncoder()
const decoder = new TextDecoder()

function configFor(topic: string): LogConfig {
  const properties = topicProperties(topic)
  return {
    ...defaultLogConfig,
    segmentBytes: Number(properties['segment.bytes']),
    indexIntervalBytes: Number(properties['index.interval.bytes']),
    flushMessages: Number(properties['flush.messages'] ?? defaultLogConfig.flushMessages),
    cleanupPolicies: {
      compact: properties['cleanup.policy'] === 'compact',
      delete: properties['cleanup.policy'] === undefined,
    },
    minCleanableDirtyRatio: Number(properties['min.cleanable.dirty.ratio'] ?? defaultLogConfig.minCleanableDirtyRatio),
    fileDeleteDelayMs: Number(properties['file.delete.delay.ms'] ?? defaultLogConfig.fileDeleteDelayMs),
  }
}

function printingLogger(bound: object): Logger {
  const print = (level: string) => (message: string, fields?: object) =>
    process.stderr.write(
      `${JSON.stringify({ level, message, ...bound, ...fields }, (_, value) => (typeof value === 'bigint' ? String(value) : value instanceof Error ? value.stack : value))}\n`,
    )
  return {
    debug: () => {},
    info: print('info'),
    warn: print('warn'),
    error: print('error'),
    child: (fields) => printingLogger({ ...bound, ...fields }),
  }
}

const manager = await LogManager.open({
  disk,
  clock,
  random,
  logger: printingLogger({}),
  directories: [process.argv[2]!],
  nodeId: 1,
  clusterId: 'crash-test',
  configFor,
  // Often enough for a run of seconds.
  intervals: {
    initialTaskDelayMs: 20,
    recoveryPointCheckpointMs: 50,
    logStartOffsetCheckpointMs: 50,
    highWatermarkCheckpointMs: 20,
  },
  cleaner: () => ({ ...defaultCleanerConfig, backoffMs: 20 }),
})

function reply(message: Reply): void {
  process.send?.(message)
}

process.on('message', (message) => {
  const request = message as Request
  const { id, topic, partition } = request
  Promise.resolve()
    .then(async () => {
      const log = manager.getOrCreate(topic, partition, topicId)
      if (request.kind === 'append') reply({ id, offset: await append(log, request.values) })
      else reply({ id, records: read(log, request.offset) })
    })
    .catch((error: unknown) => {
      // Like a client of a broker that goes: no answer.
      if (!isStopping) reply({ id, error: String(error instanceof Error ? error.stack : error) })
    })
})

let isStopping = false
process.once('SIGTERM', () => {
  isStopping = true
  void manager.close().then(() => process.exit(0))
})
reply({ id: 0 })

async function append(log: PartitionLog, values: readonly string[]): Promise<bigint> {
  const builder = new RecordBatchBuilder()
  const nowMs = clock.now()
  for (const value of values) {
    const key = keyOf(log.topic, value)
    builder.append({
      timestamp: BigInt(nowMs),
      key: key === null ? null : encoder.encode(key),
      value: encoder.encode(value),
    })
  }
  const batches = await validateRecords(builder.build(), {
    origin: 'client',
    config: log.config,
    nowMs,
  })
  return new Promise((resolve, reject) => {
    const { firstOffset, lastOffset } = log.append(batches, { leaderEpoch: 0, origin: 'client' }, (error) => {
      if (error !== null) return reject(error)
      log.setHighWatermark(lastOffset + 1n)
      resolve(firstOffset)
    })
  })
}

function read(log: PartitionLog, from: bigint): StoredRecord[] {
  const records: StoredRecord[] = []
  for (let offset = from; offset < log.writtenEndOffset;) {
    const slice = log.locate(offset, { maxBytes: 1024 * 1024, minOneBatch: true, upTo: 'log-end' })
    const bytes = new Uint8Array(slice.length)
    slice.readSync(bytes)
    const before = offset
    forEachBatch(bytes, (at, sizeBytes) => {
      for (const record of readRecords(bytes.subarray(at, at + sizeBytes))) {
        if (record.offset < offset) continue
        records.push({ offset: record.offset, value: decoder.decode(record.value!) })
      }
      if (lastOffset(bytes, at) >= offset) offset = lastOffset(bytes, at) + 1n
    })
    if (offset === before) throw new Error(`nothing could be read at offset ${offset} of ${log.directory}`)
  }
  return records
}
