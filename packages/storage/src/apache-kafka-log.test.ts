/** Byte for byte what Apache Kafka writes: against a log that its UnifiedLog class wrote from the same appends. */
import { strict as assert } from 'node:assert'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { LogBench } from './testing/log-bench.ts'

interface Golden {
  readonly config: { readonly segmentBytes: number; readonly indexIntervalBytes: number }
  readonly appends: readonly {
    readonly origin: 'client' | 'coordinator'
    readonly transactionVersion: number
    readonly leaderEpoch: number
    readonly batch: string
  }[]
  readonly files: Readonly<Record<string, string>>
}

const golden = JSON.parse(readFileSync(new URL('./testing/apache-kafka-log.json', import.meta.url), 'utf8')) as Golden
const bytesOf = (base64: string) => new Uint8Array(Buffer.from(base64, 'base64'))

async function appendAll(bench: LogBench): Promise<void> {
  for (const { batch, ...options } of golden.appends) await bench.run(bench.start(bytesOf(batch), options).written)
}

function filesOf(bench: LogBench): Record<string, string> {
  const { disk } = bench.host
  const names = disk
    .listSync(bench.directory)
    .map(({ name }) => name)
    .sort()
  return Object.fromEntries(
    names.map((name) => [name, Buffer.from(disk.readFileSync(`${bench.directory}/${name}`)).toString('base64')]),
  )
}

/** A bench whose directory holds Kafka's files and whose log is still to be opened. */
async function benchWithKafkasFiles(wasCleanShutdown: boolean): Promise<LogBench> {
  const bench = new LogBench(golden.config)
  for (const [name, content] of Object.entries(golden.files))
    bench.host.disk.replaceFileSync(`${bench.directory}/${name}`, bytesOf(content))
  await bench.open({ wasCleanShutdown, trustPageCache: false, recoveryPoint: wasCleanShutdown ? 161n : 0n })
  return bench
}

test('the same appends make the same files as in Apache Kafka', async () => {
  const bench = new LogBench(golden.config)
  await appendAll(bench)
  await bench.run(bench.log.close())
  assert.deepEqual(filesOf(bench), golden.files)
})

test("a directory of Apache Kafka's opens with all it holds, after a clean stop and after a crash", async () => {
  const own = new LogBench(golden.config)
  await appendAll(own)
  for (const wasCleanShutdown of [true, false]) {
    const bench = await benchWithKafkasFiles(wasCleanShutdown)
    assert.equal(bench.log.logEndOffset, own.log.logEndOffset)
    assert.deepEqual(bench.readAll(), own.readAll())
    assert.deepEqual(bench.log.leaderEpochs.entries, own.log.leaderEpochs.entries)
    const byId = (log: typeof own.log) => log.producers.describe().sort((a, b) => Number(a.producerId - b.producerId))
    assert.deepEqual(byId(bench.log), byId(own.log))
    assert.equal(bench.log.producers.firstUndecidedOffset, own.log.producers.firstUndecidedOffset)
    await bench.run(bench.log.close())
    assert.deepEqual(filesOf(bench), golden.files)
  }
})
