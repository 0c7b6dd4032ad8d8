// What a user gets: the tarballs of `npm run package`, installed in an empty folder, do what the READMEs say.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { cpSync, existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { after, before, test } from 'node:test'
import { RawClient } from '../../packages/broker/src/testing/raw-client.ts'
import { batchOf } from '../../packages/broker/src/testing/records.ts'
import { otherNodes } from './other-nodes.mjs'
import { ApiVersions, CreateTopics, Metadata, Produce, RecordBatchBuilder } from '../../packages/protocol/src/index.ts'

const root = join(import.meta.dirname, '../..')
const folder = mkdtempSync(join(tmpdir(), 'millrace-installed-'))
const started = new Set()

before(() => {
  runToSuccess('npm', ['run', '--silent', 'package'], root)
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }\n')
  const tarballs = globSync('dist/*.tgz', { cwd: root }).map((name) => join(root, name))
  runToSuccess('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', ...tarballs], folder)
})

after(() => {
  for (const child of started) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

function runToSuccess(command, args, cwd) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: 'utf8' })
  assert.equal(status, 0, `${command} ${args.join(' ')}: ${error ?? ''}\n${stdout}${stderr}`)
  return stdout
}

/** Starts the installed command; `printed` waits for a pattern in its output, `ended` for its exit status. */
function startCommand(...args) {
  const child = spawn(process.execPath, [join(folder, 'node_modules/.bin/millrace'), ...args], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  started.add(child)
  let output = ''
  const listeners = new Set()
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text) => {
      output += text
      for (const listener of listeners) listener()
    })
  const ended = new Promise((resolve) => child.on('close', (status) => resolve(status)))
  const printed = (pattern) =>
    new Promise((resolve, reject) => {
      const look = () => {
        const match = pattern.exec(output)
        if (match === null) return
        listeners.delete(look)
        resolve(match)
      }
      listeners.add(look)
      look()
      void ended.then((status) => reject(new Error(`it ended with ${status} without printing ${pattern}:\n${output}`)))
    })
  return { printed, ended, stop: () => child.kill('SIGTERM'), output: () => output }
}

test('npx finds the command', () => {
  assert.match(runToSuccess('npx', ['--no-install', 'millrace', '--version'], folder), /^\d+\.\d+\.\d+\n$/)
})

test('millrace start serves and stops with exit status 0', async () => {
  const data = join(folder, 'data')
  const broker = startCommand(
    'start',
    '--override',
    'listeners=PLAINTEXT://localhost:0',
    '--override',
    `log.dirs=${data}`,
  )
  const [, port] = await broker.printed(/listens on {2}127\.0\.0\.1:(\d+)/)
  const client = await RawClient.open(Number(port))
  const { errorCode, apiKeys } = await client.ask(ApiVersions, 3, {
    clientSoftwareName: 'test',
    clientSoftwareVersion: '1',
  })
  assert.equal(errorCode, 0)
  assert.ok(apiKeys.some(({ apiKey }) => apiKey === Produce.key))
  client.close()
  broker.stop()
  assert.equal(await broker.ended, 0, broker.output())
})

test('large compressed batches are checked in the thread for codecs', async () => {
  const data = join(folder, 'data-codecs')
  const broker = startCommand(
    'start',
    '--override',
    'listeners=PLAINTEXT://localhost:0',
    '--override',
    `log.dirs=${data}`,
  )
  const [, port] = await broker.printed(/listens on {2}127\.0\.0\.1:(\d+)/)
  const client = await RawClient.open(Number(port))
  const topics = [{ name: 'large' }]
  for (let attempt = 0; attempt < 50; attempt++) {
    const metadata = await client.ask(Metadata, 12, { topics, allowAutoTopicCreation: true })
    if (metadata.topics[0].errorCode === 0 && metadata.topics[0].partitions.length > 0) break
  }
  // 1 gzip, 2 snappy, 3 lz4, 4 zstd: random letters stay above 64 KiB when compressed.
  const values = Array.from({ length: 60 }, () =>
    Buffer.from(Array.from({ length: 5_000 }, () => Math.random() * 256)).toString('latin1'),
  )
  for (const compression of [1, 2, 3, 4]) {
    const records = batchOf(values, { compression })
    const answer = await client.ask(Produce, 9, {
      transactionalId: null,
      acks: -1,
      timeoutMs: 5_000,
      topicData: [{ name: 'large', partitionData: [{ index: 0, records }] }],
    })
    assert.equal(answer.responses[0].partitionResponses[0].errorCode, 0)
  }
  client.close()
  broker.stop()
  assert.equal(await broker.ended, 0, broker.output())
  assert.doesNotMatch(broker.output(), /codec thread|Cannot find module|ERR_MODULE/)
})

test('compacted topics are cleaned in the thread for that', async () => {
  const data = join(folder, 'data-compacted')
  const overrides = ['listeners=PLAINTEXT://localhost:0', `log.dirs=${data}`, 'log.cleaner.backoff.ms=50']
  const broker = startCommand('start', ...overrides.flatMap((override) => ['--override', override]))
  const [, port] = await broker.printed(/listens on {2}127\.0\.0\.1:(\d+)/)
  const client = await RawClient.open(Number(port))
  const configs = { 'cleanup.policy': 'compact', 'internal.segment.bytes': '1000', 'min.cleanable.dirty.ratio': '0.01' }
  await client.ask(CreateTopics, 7, {
    timeoutMs: 10_000,
    topics: [
      {
        name: 'compacted',
        numPartitions: 1,
        replicationFactor: 1,
        assignments: [],
        configs: Object.entries(configs).map(([name, value]) => ({ name, value })),
      },
    ],
  })
  for (let number = 0; number < 30; number++) {
    const batch = new RecordBatchBuilder()
    batch.append({ timestamp: BigInt(Date.now()), key: Buffer.from('key'), value: Buffer.alloc(100, `${number}`) })
    await client.ask(Produce, 9, {
      transactionalId: null,
      acks: -1,
      timeoutMs: 5_000,
      topicData: [{ name: 'compacted', partitionData: [{ index: 0, records: batch.build() }] }],
    })
  }
  await broker.printed(/cleaned a log/)
  client.close()
  broker.stop()
  assert.equal(await broker.ended, 0, broker.output())
  assert.doesNotMatch(broker.output(), /without a thread|Cannot find module|ERR_MODULE/)
})

test("import { startBroker } from 'millrace' works", () => {
  writeFileSync(
    join(folder, 'embed.js'),
    `import { startBroker } from 'millrace'
     const one = await startBroker()
     const other = await startBroker({ data: 'temporary', configs: { 'num.partitions': 3 } })
     console.log(one.bootstrapServers !== other.bootstrapServers && one.port > 0)
     await one.close()
     await other.close()`,
  )
  assert.equal(runToSuccess(process.execPath, ['embed.js'], folder).trim(), 'true')
})

test('its types are there for strict projects, however they resolve modules', () => {
  writeFileSync(
    join(folder, 'typed.ts'),
    `import { startBroker, type RunningBroker, type StartBrokerOptions } from 'millrace'
     const options: StartBrokerOptions = { port: 0, data: { directory: 'x' }, configs: { 'num.partitions': 3 } }
     await using broker: RunningBroker = await startBroker(options)
     export const port: number = broker.port
     // @ts-expect-error there is no such option
     await startBroker({ ports: 1 })`,
  )
  compile('typed.ts', '--noEmit')
})

test("a user's program compiles, and runs on the oldest Node that is supported and each major one since", () => {
  cpSync(join(import.meta.dirname, 'user-program.ts'), join(folder, 'user-program.ts'))
  compile('user-program.ts', '--outDir', 'compiled')
  const expected = ['orders 0n', '1501 224252', 'number', '3', 'orders']
  for (const node of otherNodes()) {
    const lines = runToSuccess(node, ['compiled/user-program.js'], folder).trim().split('\n')
    assert.deepEqual(lines, expected, node)
  }
})

/** In every way in which strict projects are set up. */
function compile(file, ...output) {
  const tsc = join(root, 'node_modules', '.bin', 'tsc')
  const typeRoots = join(root, 'node_modules/@types')
  const strict = [
    '--strict',
    '--target',
    'es2022',
    '--typeRoots',
    typeRoots,
    '--types',
    'node',
    '--lib',
    'es2022',
    ...output,
  ]
  const resolutions = [
    ['--module', 'nodenext'],
    ['--module', 'esnext', '--moduleResolution', 'bundler'],
  ]
  for (const exactness of [[], ['--exactOptionalPropertyTypes']])
    for (const resolution of resolutions) runToSuccess(tsc, [...strict, ...exactness, ...resolution, file], folder)
}

test('an old Node gets one clear line', (t) => {
  const old = oldNode()
  if (old === null) return t.skip('there is no Node older than 22.18 on the PATH')
  const { status, stdout, stderr } = spawnSync(old, [join(folder, 'node_modules/millrace/bin/millrace.cjs'), 'start'], {
    encoding: 'utf8',
  })
  assert.equal(status, 1)
  assert.equal(stdout, '')
  assert.match(stderr, /^millrace needs Node\.js 22\.18 or newer; this is v\d+\.\d+\.\d+ \(.*\)\n$/)
})

function oldNode() {
  for (const directory of process.env.PATH.split(delimiter)) {
    const file = join(directory, 'node')
    if (!existsSync(file)) continue
    const [major, minor] = spawnSync(file, ['--version'], { encoding: 'utf8' }).stdout.slice(1).split('.').map(Number)
    if (major < 22 || (major === 22 && minor < 18)) return file
  }
  return null
}

test('nothing but native packages is installed beside them, and the licences of what is bundled are there', () => {
  const native = { millrace: ['@node-rs/crc32', 'lmdb', 'lz4-napi', 'snappy'] }
  native['@millrace/client'] = native.millrace.filter((name) => name !== 'lmdb')
  native['@millrace/kafkajs'] = ['@millrace/client']
  for (const [name, expected] of Object.entries(native)) {
    const installed = join(folder, 'node_modules', name)
    const { dependencies } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'))
    assert.deepEqual(Object.keys(dependencies), expected)
    assert.ok(Object.values(dependencies).every((version) => /^\d+\.\d+\.\d+$/.test(version)))
    for (const file of ['LICENSE', 'NOTICE', 'README.md'])
      assert.ok(existsSync(join(installed, file)), `${name} ${file}`)
  }
  assert.match(readFileSync(join(folder, 'node_modules/millrace/THIRD-PARTY-LICENSES'), 'utf8'), /^commander \d/)
})

test('the oldest Node that is supported, and each major one since, import both', () => {
  writeFileSync(
    join(folder, 'surface.js'),
    `import * as client from '@millrace/client'
     import * as millrace from 'millrace'
     console.log(Object.keys(client).filter((name) => millrace[name] === undefined).join())
     console.log(Object.keys(client).length > 0)`,
  )
  for (const node of otherNodes()) assert.equal(runToSuccess(node, ['surface.js'], folder), '\ntrue\n')
})
