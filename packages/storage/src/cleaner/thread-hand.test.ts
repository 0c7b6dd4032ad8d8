import { strict as assert } from 'node:assert'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { RecordBatchBuilder } from '@millrace/protocol'
import { nodeRuntime, silentLogger } from '@millrace/runtime'
import { FilePool } from '../file-pool.ts'
import { defaultLogConfig } from '../log-config.ts'
import { createLogServices, type LogServices } from '../log-services.ts'
import { PartitionLog } from '../partition-log.ts'
import { validateRecords } from '../validation/index.ts'
import { LocalHand, type CleanerHand } from './cleaner-hand.ts'
import type { GroupJob, MapJob } from './cleaning-jobs.ts'
import { NoThreadError, ThreadHand } from './thread-hand.ts'
import { Throttle } from './throttle.ts'

const { clock, disk, random } = nodeRuntime()
const keys = 50
const encoder = new TextEncoder()

/** Two segments of a real log, the second active, and the jobs that clean the first. */
async function makeLog(directory: string): Promise<{ services: LogServices; map: MapJob; group: GroupJob }> {
  const services = createLogServices({ disk, clock, random, files: new FilePool({ disk }) })
  const config = { ...defaultLogConfig, segmentBytes: 200_000 }
  const log = PartitionLog.create({
    services,
    logger: silentLogger,
    directory,
    topic: 't',
    partition: 0,
    config,
    onFailure: (error) => {
      throw error
    },
  })
  for (let number = 0; log.segmentCount < 2; number++) {
    const builder = new RecordBatchBuilder({ compression: number % 5 })
    for (let record = 0; record < 20; record++)
      builder.append({
        timestamp: BigInt(1_700_000_000_000 + number),
        key: encoder.encode(`key-${(number * 7 + record) % keys}`),
        value: encoder.encode(`${number}:${record}`.padEnd(100, 'x')),
      })
    const batches = await validateRecords(builder.build(), { origin: 'client', config, nowMs: clock.now() })
    log.append(batches, { leaderEpoch: 0, origin: 'client' }, () => {})
  }
  await log.drained()
  log.setHighWatermark(log.writtenEndOffset)
  const [segment] = log.cleaning.segments(0n, 1n)
  const { baseOffset, sizeBytes } = segment!
  const place = { partition: 't-0', directory, bufferBytes: 16 * 1024 }
  const map: MapJob = {
    ...place,
    segments: [{ baseOffset, sizeBytes, startPosition: 0, endOffset: log.cleaning.endOf(segment!) }],
    firstDirtyOffset: 0n,
    aborted: [],
    memoryBytes: 1 << 20,
    loadFactor: 0.9,
  }
  const group: GroupJob = {
    ...place,
    segments: [{ baseOffset, sizeBytes, aborted: [], keepsLegacyTombstones: true }],
    producers: [],
    nowMs: 1_700_000_100_000n,
    deleteRetentionMs: 1000n,
    indexIntervalBytes: 1000,
  }
  await log.close()
  return { services, map, group }
}

function cleanedFiles(directory: string): Map<string, Buffer> {
  const names = readdirSync(directory).filter((name) => name.endsWith('.cleaned'))
  return new Map(names.toSorted().map((name) => [name, readFileSync(join(directory, name))]))
}

async function withLog(run: (log: Awaited<ReturnType<typeof makeLog>>, directory: string) => Promise<void>) {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-cleaner-'))
  try {
    await run(await makeLog(directory), directory)
  } finally {
    rmSync(directory, { recursive: true })
  }
}

const unlimited = () => new Throttle(clock, () => Number.MAX_VALUE)

test('a thread does the same as the calling one', async () => {
  await withLog(async ({ services, map, group }, directory) => {
    const outcomes = []
    const hands: CleanerHand[] = [
      new LocalHand(services, { clock, throttle: unlimited() }),
      new ThreadHand({ clock, throttle: unlimited(), isThrottled: () => false }),
      new ThreadHand({ clock, throttle: unlimited(), isThrottled: () => true }),
    ]
    for (const hand of hands) {
      await using _ = hand
      outcomes.push({
        mapped: await hand.buildMap(map),
        cleaned: await hand.cleanGroup(group),
        files: cleanedFiles(directory),
      })
    }
    const [local, thread, throttled] = outcomes
    assert.ok(local!.cleaned.recordsKept >= keys && local!.cleaned.recordsKept < local!.cleaned.recordsRead)
    assert.deepEqual(
      [...local!.files.keys()].map((name) => name.slice(21)),
      ['index.cleaned', 'log.cleaned', 'timeindex.cleaned'],
    )
    assert.deepEqual(thread, local)
    assert.deepEqual(throttled, local)
  })
})

test('an error keeps the code that tells what it is', async () => {
  await withLog(async ({ map }) => {
    await using hand = new ThreadHand({ clock, throttle: unlimited(), isThrottled: () => false })
    await assert.rejects(hand.buildMap({ ...map, directory: '/nowhere/at/all' }), { code: 'ENOENT' })
    assert.equal((await hand.buildMap(map)).endOffset, map.segments[0]!.endOffset, 'and the thread goes on')
  })
})

test('disposing of it ends the job under way', async () => {
  await withLog(async ({ map }) => {
    const hand = new ThreadHand({ clock, throttle: new Throttle(clock, () => 1), isThrottled: () => true })
    const mapped = hand.buildMap(map)
    const stopped = assert.rejects(mapped, { name: 'CleaningStoppedError' })
    await hand[Symbol.asyncDispose]()
    await stopped
    await assert.rejects(hand.buildMap(map), { name: 'CleaningStoppedError' })
  })
})

test('a thread that does not come up is told from a job that fails', async () => {
  await withLog(async ({ map }) => {
    const entry = new URL('./no-such-thread.ts', import.meta.url)
    await using hand = new ThreadHand({ clock, throttle: unlimited(), isThrottled: () => false, entry })
    await assert.rejects(hand.buildMap(map), NoThreadError)
  })
})
