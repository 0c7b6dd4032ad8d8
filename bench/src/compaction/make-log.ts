/** A partition directory full of records, as a broker would have written it: what the cleaners are given. */
import { RecordBatchBuilder } from '@millrace/protocol'
import { nodeRuntime, silentLogger } from '@millrace/runtime'
import { createLogServices, defaultLogConfig, FilePool, PartitionLog, validateRecords } from '@millrace/storage'

export interface LogToMake {
  readonly directory: string
  readonly bytes: number
  readonly segmentBytes: number
  readonly recordBytes: number
  readonly recordsPerBatch: number
  /** Each record has one of so many keys, by chance. */
  readonly keys: number
  /** Codec number. */
  readonly compression: number
}

/** Returns how many records there are. */
export async function makeLog(options: LogToMake): Promise<number> {
  const { directory, bytes, segmentBytes, recordBytes, recordsPerBatch, keys, compression } = options
  const { disk, clock, random } = nodeRuntime()
  disk.makeDirectorySync(directory)
  const config = { ...defaultLogConfig, segmentBytes }
  const log = PartitionLog.create({
    services: createLogServices({ disk, clock, random, files: new FilePool({ disk }) }),
    logger: silentLogger,
    directory,
    topic: 'compacted',
    partition: 0,
    config,
    onFailure: (error) => {
      throw error
    },
  })
  let records = 0
  let state = 1
  // The same log each time (mulberry32); text that a codec makes about half of.
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let value = Math.imul(state ^ (state >>> 15), 1 | state)
    value ^= value + Math.imul(value ^ (value >>> 7), 61 | value)
    return (value ^ (value >>> 14)) >>> 0
  }
  while (log.sizeBytes < bytes) {
    const builder = new RecordBatchBuilder({ compression })
    for (let record = 0; record < recordsPerBatch; record++) {
      const key = `key-${String(next() % keys).padStart(10, '0')}`
      let value = ''
      while (value.length < recordBytes - 30) value += next().toString(16).padEnd(12, ' ')
      builder.append({
        timestamp: BigInt(1_700_000_000_000 + records++),
        key: Buffer.from(key),
        value: Buffer.from(value),
      })
    }
    const batches = await validateRecords(builder.build(), {
      origin: 'client',
      config,
      nowMs: 1_700_000_000_000 + records,
    })
    log.append(batches, { leaderEpoch: 0, origin: 'client' }, () => {})
    if (log.logEndOffset - log.writtenEndOffset > 10_000n) await log.drained()
  }
  await log.close()
  return records
}
