import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import { ErrorCode, KafkaError } from '../errors.ts'
import { CodecWorker } from './codec-worker.ts'
import { compress } from './compression.ts'

const text = Buffer.from('the quick brown fox jumps over the lazy dog, '.repeat(5000))
const packageFolder = fileURLToPath(new URL('../..', import.meta.url))

function temporaryFolder(): { path: string } & Disposable {
  // Inside the package, so that its dependencies are found.
  mkdirSync(join(packageFolder, 'dist'), { recursive: true })
  const path = mkdtempSync(join(packageFolder, 'dist/codec-worker-test-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) }
}

test('all codecs work in the thread, many jobs at a time, and leave the caller its bytes', async () => {
  await using worker = new CodecWorker()
  await Promise.all(
    Array.from({ length: 20 }, async (_, index) => {
      const codec = (index % 4) + 1
      const own = Buffer.from(text.subarray(0, text.length - index))
      const packed = await worker.compress(codec, own.subarray(1))
      const unpacked = await worker.decompress(codec, packed, own.length)
      assert.ok(own.subarray(1).equals(unpacked))
      assert.ok(own.equals(text.subarray(0, text.length - index)))
    }),
  )
})

test('levels and the magic of the message around reach the thread', async () => {
  await using worker = new CodecWorker()
  assert.deepEqual(Buffer.from(await worker.compress(1, text, 9)), Buffer.from(compress(1, text, 9)))
  const old = await worker.compress(3, text, undefined, 0)
  assert.ok(text.equals(await worker.decompress(3, old, text.length, 0)))
  await assert.rejects(worker.decompress(3, old, text.length, 2))
})

test('errors cross with code, message and where they came from', async () => {
  await using worker = new CodecWorker()
  await assert.rejects(worker.decompress(1, text, 1000), (error: unknown) => {
    assert.ok(error instanceof KafkaError)
    assert.equal(error.code, ErrorCode.CORRUPT_MESSAGE)
    assert.match(error.message, /gzip/)
    assert.match((error.cause as Error).stack!, /codec-thread/)
    return true
  })
  await assert.rejects(worker.decompress(4, compress(4, text), 1000), { code: ErrorCode.MESSAGE_TOO_LARGE })
  // And the thread goes on.
  assert.ok(text.equals(await worker.decompress(4, compress(4, text), text.length)))
})

test('when the thread dies its oldest job fails, the others are done by the next thread', async () => {
  using folder = temporaryFolder()
  const entry = join(folder.path, 'dies-once.mjs')
  const real = new URL('./codec-thread.ts', import.meta.url).href
  writeFileSync(
    entry,
    `import { existsSync, writeFileSync } from 'node:fs'
     import { parentPort } from 'node:worker_threads'
     const mark = ${JSON.stringify(join(folder.path, 'died'))}
     if (existsSync(mark)) await import(${JSON.stringify(real)})
     else {
       parentPort.postMessage({ id: -1 })
       parentPort.once('message', () => { writeFileSync(mark, ''); process.exit(3) })
     }`,
  )
  const troubles: string[] = []
  await using worker = new CodecWorker({
    entry: pathToFileURL(entry),
    onTrouble: ({ message }) => troubles.push(message),
  })
  const jobs = await Promise.allSettled([1, 2, 3].map(() => worker.decompress(1, compress(1, text), text.length)))
  assert.deepEqual(
    jobs.map(({ status }) => status),
    ['rejected', 'fulfilled', 'fulfilled'],
  )
  assert.deepEqual(troubles, ['the codec thread exited with code 3'])
})

test('without its file the work is done in the calling thread, and the trouble told', async () => {
  const troubles: Error[] = []
  const entry = new URL('./no-such-file.js', import.meta.url)
  await using worker = new CodecWorker({ entry, onTrouble: (error) => troubles.push(error) })
  const packed = await worker.compress(4, text)
  assert.ok(text.equals(await worker.decompress(4, packed, text.length)))
  await assert.rejects(worker.decompress(4, packed, 10), { code: ErrorCode.MESSAGE_TOO_LARGE })
  assert.match(troubles[0]!.message, /no-such-file/)
  assert.ok(troubles.length <= 4)
})

test('disposal rejects what is under way and what comes later', async () => {
  const worker = new CodecWorker()
  const job = worker.compress(1, text)
  const outcome = assert.rejects(job, /was closed/)
  await worker[Symbol.asyncDispose]()
  await outcome
  await assert.rejects(worker.compress(1, text), /is closed/)
})

test('a bundle finds the thread beside it, and an idle thread does not keep the process alive', async () => {
  using folder = temporaryFolder()
  const program = join(folder.path, 'program.ts')
  writeFileSync(
    program,
    `import { CodecWorker } from '../../src/records/codec-worker.ts'
     const troubles = []
     const worker = new CodecWorker({ onTrouble: (error) => troubles.push(error.message) })
     const text = new Uint8Array(300_000).fill(7)
     for (const codec of [1, 2, 3, 4]) {
       const back = await worker.decompress(codec, await worker.compress(codec, text), text.length)
       console.log(codec, back.length, back.every((byte) => byte === 7), troubles.length)
     }`,
  )
  await build({
    entryPoints: { program, 'codec-thread': join(packageFolder, 'src/records/codec-thread.ts') },
    outdir: join(folder.path, 'out'),
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'silent',
  })
  const { stdout, stderr, status } = spawnSync(process.execPath, [join(folder.path, 'out/program.js')], {
    encoding: 'utf8',
    timeout: 100_000,
  })
  assert.equal(stderr, '')
  assert.equal(stdout, [1, 2, 3, 4].map((codec) => `${codec} 300000 true 0\n`).join(''))
  assert.equal(status, 0)
})
