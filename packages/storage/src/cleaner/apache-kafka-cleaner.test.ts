/** Batch for batch, record for record what Apache Kafka's cleaner leaves of the same log: all codecs, transactions, tombstones, headers. */
import { strict as assert } from 'node:assert'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import {
  attributes,
  baseOffset,
  baseSequence,
  baseTimestamp,
  computeCrc,
  forEachBatch,
  hasDeleteHorizon,
  lastOffset,
  maxTimestamp,
  partitionLeaderEpoch,
  producerEpoch,
  producerId,
  readRecords,
  recordsCount,
  storedCrc,
} from '@millrace/protocol'
import { LogWorld } from '../directories/testing/log-world.ts'
import { defaultCleanerConfig } from './cleaner-config.ts'

type Files = Readonly<Record<string, string>>

interface Golden {
  readonly config: {
    readonly segmentBytes: number
    readonly indexIntervalBytes: number
    readonly deleteRetentionMs: number
  }
  readonly endOffset: number
  readonly input: Files
  readonly rounds: readonly { readonly nowMs: number; readonly files: Files }[]
}

const golden = JSON.parse(
  readFileSync(new URL('./testing/apache-kafka-cleaner.json', import.meta.url), 'utf8'),
) as Golden
const bytesOf = (base64: string) => new Uint8Array(Buffer.from(base64, 'base64'))
const backoffMs = 1000

/** Cleans a log of these files once, at about this time, and returns its files. */
async function clean(files: Files, nowMs: number): Promise<Map<string, Uint8Array>> {
  const world = new LogWorld()
  const { disk, clock } = world.host
  await world.simulation.time.advance(nowMs - backoffMs - clock.now())
  disk.makeDirectorySync('/a/t-0')
  for (const [name, content] of Object.entries(files)) disk.replaceFileSync(`/a/t-0/${name}`, bytesOf(content))
  const end = `0\n1\nt 0 ${golden.endOffset}\n`
  for (const name of ['recovery-point-offset-checkpoint', 'replication-offset-checkpoint'])
    disk.replaceFileSync(`/a/${name}`, new TextEncoder().encode(end))
  disk.replaceFileSync('/a/.kafka_cleanshutdown', new TextEncoder().encode('{"version":0,"brokerEpoch":1}'))
  world.configs.set('t', { ...golden.config, cleanupPolicies: { compact: true, delete: false } })
  const manager = await world.open({ cleaner: () => ({ ...defaultCleanerConfig, backoffMs }) })
  await world.simulation.time.advance(backoffMs + 100)
  await world.run(manager.close())
  assert.equal(world.lines.filter(({ message }) => message === 'cleaned a log').length, 1)
  const left = new Map<string, Uint8Array>()
  for (const name of world.names('/a/t-0'))
    if (/\.(log|txnindex)$/.test(name)) left.set(name, disk.readFileSync(`/a/t-0/${name}`))
  return left
}

function describe(bytes: Uint8Array) {
  const batches: Record<string, unknown>[] = []
  forEachBatch(bytes, (at) => {
    assert.equal(storedCrc(bytes, at), computeCrc(bytes, at))
    batches.push({
      baseOffset: baseOffset(bytes, at),
      lastOffset: lastOffset(bytes, at),
      attributes: attributes(bytes, at),
      deleteHorizon: hasDeleteHorizon(bytes, at) ? baseTimestamp(bytes, at) : null,
      maxTimestamp: maxTimestamp(bytes, at),
      partitionLeaderEpoch: partitionLeaderEpoch(bytes, at),
      producerId: producerId(bytes, at),
      producerEpoch: producerEpoch(bytes, at),
      baseSequence: baseSequence(bytes, at),
      recordsCount: recordsCount(bytes, at),
      records: Array.from(readRecords(bytes, at), ({ key, value, headers, ...record }) => ({
        ...record,
        key: text(key),
        value: text(value),
        headers: headers.map((header) => [header.key, text(header.value)]),
      })),
    })
  })
  return batches
}

const text = (bytes: Uint8Array | null) => (bytes === null ? null : Buffer.from(bytes).toString('latin1'))

/** Horizons set in this round are counted from its time, which the simulated clock meets only nearly. */
function relative(batches: Record<string, unknown>[], nowMs: number): Record<string, unknown>[] {
  return batches.map((batch) => {
    const horizon = batch['deleteHorizon'] as bigint | null
    if (horizon === null) return batch
    const sinceNow = Number(horizon) - nowMs - golden.config.deleteRetentionMs
    return { ...batch, deleteHorizon: Math.abs(sinceNow) < 5000 ? 'now' : horizon }
  })
}

for (const [index, { nowMs, files }] of golden.rounds.entries())
  test(`round ${index} leaves what Apache Kafka leaves`, async () => {
    const before = index === 0 ? golden.input : { ...golden.input, ...golden.rounds[index - 1]!.files }
    const names = index === 0 ? Object.keys(before) : Object.keys(before).filter(isOf(golden.rounds[index - 1]!.files))
    const ours = await clean(Object.fromEntries(names.map((name) => [name, before[name]!])), nowMs)
    assert.deepEqual([...ours.keys()], Object.keys(files))
    for (const [name, bytes] of ours) {
      const theirs = bytesOf(files[name]!)
      if (name.endsWith('.txnindex')) {
        assert.deepEqual(bytes, theirs, name)
        continue
      }
      const expected = relative(describe(theirs), nowMs)
      const found = relative(describe(bytes), nowMs)
      // Ours keeps the end of every segment (docs/decisions/0010).
      if (found.length > expected.length && found.at(-1)!['recordsCount'] === 0) found.pop()
      assert.deepEqual(found, expected, name)
    }
  })

/** Names of segments that are there, and of what belongs to no segment. */
function isOf(files: Files): (name: string) => boolean {
  return (name) => Object.hasOwn(files, name) || !/\.(log|txnindex)$/.test(name)
}
