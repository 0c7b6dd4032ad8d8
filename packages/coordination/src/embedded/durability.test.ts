import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { nodeRuntime } from '@millrace/runtime'
import type { Clock } from '@millrace/runtime'
import { isCoordinationFailure } from '../coordination-error.ts'
import { createNode, deleteNode, setNode } from '../tree.ts'
import { CrashingStore } from '../testing/crashing-store.ts'
import { EmbeddedTree } from './embedded-tree.ts'

const { clock, disk } = nodeRuntime()
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

function temporaryDirectory(context: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-tree-'))
  context.after(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

test('what was acknowledged is there when the file is opened again, ephemeral nodes apart', async (context) => {
  const path = join(temporaryDirectory(context), 'tree.mdb')
  let before
  {
    await using tree = await EmbeddedTree.open({ clock, disk, path })
    const session = await tree.connect()
    await session.multi([createNode('/a', bytes('one')), createNode('/a/b'), createNode('/a/gone')])
    await session.multi([setNode('/a', bytes('two')), deleteNode('/a/gone')])
    await session.multi([createNode('/a/e', bytes(''), 'ephemeral')])
    before = await session.get('/a')
  }
  await using tree = await EmbeddedTree.open({ clock, disk, path })
  await using session = await tree.connect()
  const after = await session.get('/a')
  assert.deepEqual(Buffer.from(after.data), Buffer.from(before.data))
  assert.deepEqual(after.stat, { ...before.stat, childrenCount: 1 })
  assert.deepEqual(await session.children('/a'), ['b'])
  await session.multi([createNode('/c')])
  assert.ok((await session.get('/c')).stat.czxid > before.stat.mzxid)
})

test('sequential nodes go on upwards after a restart', async (context) => {
  const path = join(temporaryDirectory(context), 'tree.mdb')
  const paths: string[] = []
  for (let run = 0; run < 3; run++) {
    await using tree = await EmbeddedTree.open({ clock, disk, path })
    await using session = await tree.connect()
    const [created] = await session.multi([createNode('/n-', bytes(''), 'persistent-sequential')])
    assert.ok(created !== undefined)
    await session.multi([deleteNode(created.path)])
    paths.push(created.path)
  }
  assert.deepEqual(paths, paths.toSorted())
  assert.equal(new Set(paths).size, 3)
})

test('the ephemeral nodes of a process that died are gone, and durably so', async () => {
  const store = new CrashingStore()
  const dying = await EmbeddedTree.open({ clock, store })
  const session = await dying.connect()
  await session.multi([createNode('/p'), createNode('/p/e', bytes('x'), 'ephemeral')])
  const second = store.crash(false)
  const tree = await EmbeddedTree.open({ clock, store: second })
  const reader = await tree.connect()
  assert.equal(await reader.exists('/p/e'), null)
  assert.equal((await reader.get('/p')).stat.childrenCount, 0)
  await reader.multi([createNode('/q')])
  assert.deepEqual([...second.crash(false).load().nodes].map(([path]) => path).toSorted(), ['/', '/p', '/q'])
})

test('changes are neither visible nor acknowledged before they are durable', async () => {
  const store = new CrashingStore()
  store.isAutomatic = false
  const tree = await EmbeddedTree.open({ clock, store })
  const [writer, reader] = [await tree.connect(), await tree.connect()]
  const events: string[] = []
  await reader.exists('/a', ({ kind }) => events.push(kind))
  const write = writer.multi([createNode('/a')]).then(() => events.push('acknowledged'))
  // Refused because of a change that is not durable yet: so this answer has to wait, too.
  const refused = writer.multi([createNode('/a')]).catch(() => events.push('refused'))
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
  assert.equal(store.commits, 1)
  assert.equal(await reader.exists('/a'), null)
  assert.deepEqual(events, [])
  store.finishCommit()
  await Promise.all([write, refused])
  assert.deepEqual(events, ['created', 'acknowledged', 'refused'])
  assert.notEqual(await reader.exists('/a'), null)
})

test('writes that arrive together share one commit', async () => {
  const store = new CrashingStore()
  await using tree = await EmbeddedTree.open({ clock, store })
  await using session = await tree.connect()
  await Promise.all(Array.from({ length: 100 }, (_, index) => session.multi([createNode(`/n${index}`)])))
  assert.equal(store.commits, 1)
})

test('a failing store fails what is under way and what waits behind it, and changes nothing', async () => {
  const store = new CrashingStore()
  await using tree = await EmbeddedTree.open({ clock, store, maxBatchOperations: 1 })
  await using session = await tree.connect()
  await session.multi([createNode('/a')])
  store.failure = new Error('ENOSPC: no space left on device')
  const attempts = await Promise.allSettled([session.multi([createNode('/b')]), session.multi([createNode('/c')])])
  for (const attempt of attempts) {
    assert.equal(attempt.status, 'rejected')
    assert.ok(isCoordinationFailure(attempt.reason, 'storage-failure'))
    assert.match(attempt.reason.message, /ENOSPC/)
    assert.equal(attempt.reason.retriable, true)
  }
  assert.deepEqual(await session.children('/'), ['a'])
  await session.multi([createNode('/b')])
  assert.deepEqual((await session.children('/')).toSorted(), ['a', 'b'])
})

test('the nodes of an ended session go in the end, though the store fails at first', async () => {
  const store = new CrashingStore()
  const impatient: Clock = {
    now: () => clock.now(),
    monotonicMs: () => clock.monotonicMs(),
    endOfTurn: (callback) => clock.endOfTurn(callback),
    nextTurn: () => clock.nextTurn(),
    sleep: (delayMs, signal) => clock.sleep(delayMs, signal),
    after: (_delayMs, callback) => clock.after(0, callback),
    holdProcess: () => clock.holdProcess(),
  }
  await using tree = await EmbeddedTree.open({ clock: impatient, store })
  await using session = await tree.connect()
  const ending = await tree.connect()
  await ending.multi([createNode('/e', bytes(''), 'ephemeral')])
  const deleted = Promise.withResolvers<void>()
  await session.exists('/e', () => deleted.resolve())
  store.failure = new Error('EIO')
  await ending[Symbol.asyncDispose]()
  await deleted.promise
  assert.equal(await session.exists('/e'), null)
})

test('a file that is no tree is refused, where LMDB would end the process', async (context) => {
  const path = join(temporaryDirectory(context), 'tree.mdb')
  const page = Buffer.alloc(4096)
  page.writeUInt32LE(0xbeefc0de, 24)
  page.writeUInt32LE(2, 28)
  page.writeUInt32LE(4096, 48)
  for (const [content, problem] of [
    [Buffer.from('hello'), /only 5 bytes/],
    [Buffer.alloc(16_384, 'this is no LMDB file. '), /expected magic beefc0de/],
    [page, /cut off after 4096 bytes/],
    [Buffer.concat([page, Buffer.alloc(4096)]), /at byte 4120 expected magic beefc0de and version 2, got 0 and 0/],
  ] as const) {
    writeFileSync(path, content)
    await assert.rejects(EmbeddedTree.open({ clock, disk, path }), (error: Error) => {
      assert.match(error.message, /tree\.mdb is not the file of a coordination tree/)
      assert.match(error.message, problem)
      return true
    })
  }
})

/** Writes numbered nodes and says which are acknowledged, until it is killed. */
const WRITER = `
import { nodeRuntime } from '@millrace/runtime'
import { EmbeddedTree } from '${new URL('./embedded-tree.ts', import.meta.url).href}'
import { createNode, setNode } from '${new URL('../tree.ts', import.meta.url).href}'
const tree = await EmbeddedTree.open({ clock: nodeRuntime().clock, path: process.argv[1] })
const session = await tree.connect()
const first = Number(process.argv[2])
if ((await session.exists('/count')) === null) await session.multi([createNode('/count')])
for (let round = first; ; round += 3) {
  await Promise.all([0, 1, 2].map(async (offset) => {
    const n = round + offset
    await session.multi([
      createNode('/n' + n),
      ...Array.from({ length: 20 }, (_, child) => createNode('/n' + n + '/c' + child, Buffer.alloc(500, n))),
      setNode('/count', Buffer.from(String(n))),
    ])
    process.stdout.write(n + '\\n')
  }))
}
`

test('after SIGKILL every acknowledged multi is there, and each is there whole or not at all', async (context) => {
  const path = join(temporaryDirectory(context), 'tree.mdb')
  let next = 0
  for (let run = 0; run < 4; run++) {
    const child = spawn(
      process.execPath,
      ['--conditions=source', '--no-warnings', '--input-type=module', '-e', WRITER, path, String(next)],
      { stdio: ['ignore', 'pipe', 'inherit'], cwd: import.meta.dirname },
    )
    let acknowledged = -1
    const wanted = next + 5 + run * 17
    for await (const line of createInterface({ input: child.stdout })) {
      acknowledged = Number(line)
      if (acknowledged >= wanted) child.kill('SIGKILL')
    }
    await using tree = await EmbeddedTree.open({ clock, disk, path })
    await using session = await tree.connect()
    const names = (await session.children('/')).filter((name) => name.startsWith('n'))
    for (const name of names) assert.equal((await session.children(`/${name}`)).length, 20, `${name} is torn`)
    const count = Number(Buffer.from((await session.get('/count')).data).toString())
    assert.ok(count >= acknowledged, `${acknowledged} was acknowledged, ${count} is the last found`)
    assert.equal(names.length, count + 1)
    next = count + 1
  }
})
