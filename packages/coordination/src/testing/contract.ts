/**
 * What every engine of the coordination tree has to do, as tests. An engine calls `testCoordinationTree` from a test file of its own.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CoordinationError, isCoordinationFailure } from '../coordination-error.ts'
import type { CoordinationFailure } from '../coordination-error.ts'
import { checkNode, createNode, deleteNode, MAX_MULTI_BYTES, setNode } from '../tree.ts'
import type { CoordinationSession, CoordinationTree, SessionState, Watcher, WatchEvent } from '../tree.ts'

export interface EngineUnderTest extends AsyncDisposable {
  readonly tree: CoordinationTree
  /** Path of an empty persistent node made for this test, under which the test works; '' for an empty tree of its own. */
  readonly root: string
  /** Makes the session expire, as if the client had been silent too long. Resolves when its ephemeral nodes are gone. */
  expire(session: CoordinationSession): Promise<void>
  /** Cuts the session off from the engine, and lets it reach the engine again. */
  disconnect(session: CoordinationSession): Promise<void>
  reconnect(session: CoordinationSession): Promise<void>
}

const SESSION = { sessionTimeoutMs: 10_000 }
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (data: Uint8Array): string => new TextDecoder().decode(data)

export function testCoordinationTree(name: string, open: () => Promise<EngineUnderTest>): void {
  const contract = (
    behaviour: string,
    run: (engine: EngineUnderTest, session: CoordinationSession) => Promise<void>,
  ): void => {
    test(`${name}: ${behaviour}`, async () => {
      await using engine = await open()
      await using session = await engine.tree.connect(SESSION)
      await run(engine, session)
    })
  }

  contract('a created node has its data, version 0 and the transaction that made it', async ({ root }, session) => {
    assert.deepEqual(await session.multi([createNode(`${root}/a`, bytes('one'))]), [{ path: `${root}/a`, version: 0 }])
    const { data, stat } = await session.get(`${root}/a`)
    assert.equal(text(data), 'one')
    assert.equal(stat.version, 0)
    assert.equal(stat.czxid, stat.mzxid)
    assert.equal(stat.ephemeralOwner, 0n)
    assert.equal(stat.childrenCount, 0)
    assert.ok(stat.czxid > 0n)
    assert.ok(Number.isSafeInteger(stat.createdMs) && stat.createdMs > 0)
    assert.deepEqual(await session.exists(`${root}/a`), stat)
  })

  contract('the data given may be written to afterwards', async ({ root }, session) => {
    const data = bytes('before')
    await session.multi([createNode(`${root}/a`, data)])
    data.fill(0)
    assert.equal(text((await session.get(`${root}/a`)).data), 'before')
  })

  contract('setting data raises the version and mzxid, and keeps czxid', async ({ root }, session) => {
    await session.multi([createNode(`${root}/a`, bytes('one'))])
    const before = (await session.get(`${root}/a`)).stat
    assert.deepEqual(await session.multi([setNode(`${root}/a`, bytes('two'))]), [{ path: `${root}/a`, version: 1 }])
    const after = await session.get(`${root}/a`)
    assert.equal(text(after.data), 'two')
    assert.equal(after.stat.version, 1)
    assert.equal(after.stat.czxid, before.czxid)
    assert.ok(after.stat.mzxid > before.mzxid)
  })

  contract('setting and deleting check the version', async ({ root }, session) => {
    const path = `${root}/a`
    await session.multi([createNode(path)])
    await session.multi([setNode(path, bytes('x'), 0)])
    await refused(session.multi([setNode(path, bytes('y'), 0)]), 'bad-version', 0)
    await refused(session.multi([deleteNode(path, 0)]), 'bad-version', 0)
    await session.multi([deleteNode(path, 1)])
    assert.equal(await session.exists(path), null)
  })

  contract('what does not exist is refused with no-node', async ({ root }, session) => {
    const path = `${root}/absent`
    await refused(session.get(path), 'no-node', null)
    await refused(session.children(path), 'no-node', null)
    await refused(session.multi([setNode(path, bytes('x'))]), 'no-node', 0)
    await refused(session.multi([deleteNode(path)]), 'no-node', 0)
    await refused(session.multi([checkNode(path, -1)]), 'no-node', 0)
    await refused(session.multi([createNode(`${path}/child`)]), 'no-node', 0)
    assert.equal(await session.exists(path), null)
  })

  contract('a node is created once', async ({ root }, session) => {
    await session.multi([createNode(`${root}/a`)])
    await refused(session.multi([createNode(`${root}/a`)]), 'node-exists', 0)
  })

  contract('a node with children cannot be deleted; its children are named and counted', async ({ root }, session) => {
    const path = `${root}/a`
    await session.multi([createNode(path), createNode(`${path}/x`), createNode(`${path}/y`), createNode(`${path}/y/z`)])
    assert.deepEqual((await session.children(path)).toSorted(), ['x', 'y'])
    assert.equal((await session.get(path)).stat.childrenCount, 2)
    await refused(session.multi([deleteNode(path)]), 'not-empty', 0)
    await session.multi([deleteNode(`${path}/y/z`), deleteNode(`${path}/y`), deleteNode(`${path}/x`), deleteNode(path)])
    assert.equal(await session.exists(path), null)
  })

  contract('a multi does all or nothing, and says which operation was refused', async ({ root }, session) => {
    await session.multi([createNode(`${root}/a`, bytes('one')), createNode(`${root}/b`)])
    const attempt = session.multi([
      checkNode(`${root}/a`, 0),
      setNode(`${root}/a`, bytes('two')),
      deleteNode(`${root}/b`),
      createNode(`${root}/c`),
      checkNode(`${root}/a`, 7),
    ])
    await refused(attempt, 'bad-version', 4)
    assert.equal(text((await session.get(`${root}/a`)).data), 'one')
    assert.equal((await session.get(`${root}/a`)).stat.version, 0)
    assert.notEqual(await session.exists(`${root}/b`), null)
    assert.equal(await session.exists(`${root}/c`), null)
  })

  contract('operations of a multi see those before them', async ({ root }, session) => {
    const results = await session.multi([
      createNode(`${root}/a`),
      createNode(`${root}/a/b`),
      setNode(`${root}/a/b`, bytes('x'), 0),
      checkNode(`${root}/a/b`, 1),
      deleteNode(`${root}/a/b`, 1),
      createNode(`${root}/a/b`, bytes('again')),
    ])
    assert.deepEqual(
      results.map(({ version }) => version),
      [0, 0, 1, -1, -1, 0],
    )
    assert.equal(text((await session.get(`${root}/a/b`)).data), 'again')
  })

  contract('sequential nodes are numbered upwards, also after deletions', async ({ root }, session) => {
    await session.multi([createNode(`${root}/q`)])
    const create = async (): Promise<string> => {
      const [result] = await session.multi([createNode(`${root}/q/n-`, bytes(''), 'persistent-sequential')])
      assert.ok(result !== undefined)
      return result.path
    }
    const first = await create()
    const second = await create()
    assert.match(first, /\/q\/n-\d{10}$/)
    assert.ok(second > first)
    await session.multi([deleteNode(first), deleteNode(second)])
    assert.ok((await create()) > second)
  })

  contract('ephemeral nodes go with their session and have no children', async ({ tree, root }, session) => {
    const other = await tree.connect(SESSION)
    await other.multi([createNode(`${root}/here`, bytes('x'), 'ephemeral'), createNode(`${root}/stays`)])
    const [numbered] = await other.multi([createNode(`${root}/n-`, bytes(''), 'ephemeral-sequential')])
    assert.equal((await session.get(`${root}/here`)).stat.ephemeralOwner, other.id)
    await refused(session.multi([createNode(`${root}/here/child`)]), 'ephemeral-parent', 0)
    await other[Symbol.asyncDispose]()
    assert.equal(other.state, 'closed')
    assert.equal(await session.exists(`${root}/here`), null)
    assert.equal(await session.exists(numbered?.path ?? ''), null)
    assert.notEqual(await session.exists(`${root}/stays`), null)
    await refused(other.get(`${root}/stays`), 'closed', null)
    await refused(other.multi([createNode(`${root}/late`)]), 'closed', null)
  })

  contract('an expired session loses its nodes and can do nothing more', async ({ tree, root, ...engine }, session) => {
    const other = await tree.connect(SESSION)
    const states: SessionState[] = []
    other.onStateChange((state) => states.push(state))
    await other.multi([createNode(`${root}/here`, bytes('x'), 'ephemeral')])
    await engine.expire(other)
    assert.equal(await session.exists(`${root}/here`), null)
    assert.equal(other.state, 'expired')
    assert.equal(states.at(-1), 'expired')
    await refused(other.get(root === '' ? '/' : root), 'session-expired', null)
    await refused(other.multi([createNode(`${root}/late`)]), 'session-expired', null)
    assert.equal(await session.exists(`${root}/late`), null)
  })

  contract(
    'a session cut off fails with connection-loss and goes on with its nodes',
    async ({ root, ...engine }, session) => {
      const states: SessionState[] = []
      session.onStateChange((state) => states.push(state))
      await session.multi([createNode(`${root}/mine`, bytes(''), 'ephemeral')])
      await engine.disconnect(session)
      assert.equal(session.state, 'disconnected')
      const lost = await failureOf(session.get(`${root}/mine`))
      assert.equal(lost.failure, 'connection-loss')
      assert.equal(lost.retriable, true)
      await refused(session.multi([createNode(`${root}/x`)]), 'connection-loss', null)
      await engine.reconnect(session)
      assert.equal(session.state, 'connected')
      assert.equal((await session.get(`${root}/mine`)).stat.ephemeralOwner, session.id)
      assert.deepEqual(states, ['disconnected', 'connected'])
    },
  )

  contract(
    'what was cut off while under way is decided when the session is connected again',
    async ({ root, ...engine }, session) => {
      const write = failureOf(session.multi([createNode(`${root}/x`)]))
      await engine.disconnect(session)
      const { failure } = await write
      await engine.reconnect(session)
      assert.equal(failure, 'connection-loss')
      const isThere = (await session.exists(`${root}/x`)) !== null
      await session.multi([isThere ? deleteNode(`${root}/x`) : createNode(`${root}/x`)])
      assert.equal((await session.exists(`${root}/x`)) !== null, !isThere)
    },
  )

  contract('a read sees the writes of its session that were not awaited', async ({ root }, session) => {
    const first = session.multi([createNode(`${root}/a`, bytes('one'))])
    const second = session.multi([setNode(`${root}/a`, bytes('two'))])
    const refusedWrite = failureOf(session.multi([createNode(`${root}/a`)]))
    assert.equal(text((await session.get(`${root}/a`)).data), 'two')
    assert.equal((await refusedWrite).failure, 'node-exists')
    await Promise.all([first, second])
  })

  contract('writes of a session happen, and are answered, in the order of the calls', async ({ root }, session) => {
    await session.multi([createNode(`${root}/a`)])
    const answered: number[] = []
    const writes = Array.from({ length: 50 }, async (_, index) => {
      const [result] = await session.multi([setNode(`${root}/a`, bytes(String(index)), index)])
      answered.push(index)
      assert.equal(result?.version, index + 1)
    })
    await Promise.all(writes)
    assert.deepEqual(
      answered,
      Array.from({ length: 50 }, (_, index) => index),
    )
  })

  contract('of two sessions that want the same node one gets it', async ({ tree, root }, session) => {
    await using other = await tree.connect(SESSION)
    const attempts = await Promise.allSettled([
      session.multi([createNode(`${root}/leader`, bytes('1'), 'ephemeral')]),
      other.multi([createNode(`${root}/leader`, bytes('2'), 'ephemeral')]),
    ])
    assert.deepEqual(attempts.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected'])
    const winner = attempts[0].status === 'fulfilled' ? session : other
    assert.equal((await session.get(`${root}/leader`)).stat.ephemeralOwner, winner.id)
  })

  contract('a node watcher is told once of the next change', async ({ tree, root }, session) => {
    await using other = await tree.connect(SESSION)
    const { watcher, next, count } = recorder()
    assert.equal(await session.exists(`${root}/a`, watcher), null)
    await other.multi([createNode(`${root}/a`)])
    assert.deepEqual(await next(), { path: `${root}/a`, kind: 'created' })
    await session.get(`${root}/a`, watcher)
    await other.multi([setNode(`${root}/a`, bytes('x'))])
    assert.deepEqual(await next(), { path: `${root}/a`, kind: 'changed' })
    await other.multi([setNode(`${root}/a`, bytes('y'))])
    await session.exists(`${root}/a`, watcher)
    await other.multi([deleteNode(`${root}/a`)])
    assert.deepEqual(await next(), { path: `${root}/a`, kind: 'deleted' })
    assert.equal(count(), 3)
  })

  contract('a children watcher is told of children, not of data', async ({ tree, root }, session) => {
    await using other = await tree.connect(SESSION)
    await session.multi([createNode(`${root}/p`)])
    const { watcher, next, count } = recorder()
    await session.children(`${root}/p`, watcher)
    await other.multi([setNode(`${root}/p`, bytes('data'))])
    await other.multi([createNode(`${root}/p/c`)])
    assert.deepEqual(await next(), { path: `${root}/p`, kind: 'children' })
    await session.children(`${root}/p`, watcher)
    await other.multi([deleteNode(`${root}/p/c`)])
    assert.deepEqual(await next(), { path: `${root}/p`, kind: 'children' })
    await session.children(`${root}/p`, watcher)
    await other.multi([deleteNode(`${root}/p`)])
    assert.deepEqual(await next(), { path: `${root}/p`, kind: 'deleted' })
    assert.equal(count(), 3)
  })

  contract('a refused multi and a failed read leave no watcher and tell none', async ({ tree, root }, session) => {
    await using other = await tree.connect(SESSION)
    await session.multi([createNode(`${root}/a`)])
    const { watcher, next, count } = recorder()
    await refused(session.get(`${root}/absent`, watcher), 'no-node', null)
    await session.get(`${root}/a`, watcher)
    await refused(other.multi([setNode(`${root}/a`, bytes('x')), checkNode(`${root}/a`, 9)]), 'bad-version', 1)
    await other.multi([createNode(`${root}/absent`)])
    await other.multi([setNode(`${root}/a`, bytes('y'))])
    assert.deepEqual(await next(), { path: `${root}/a`, kind: 'changed' })
    assert.equal(count(), 1)
  })

  contract(
    'the end of a session tells those who watch its ephemeral nodes',
    async ({ tree, root, ...engine }, session) => {
      const { watcher, next } = recorder()
      for (const end of ['dispose', 'expire'] as const) {
        const other = await tree.connect(SESSION)
        await other.multi([createNode(`${root}/e`, bytes(''), 'ephemeral')])
        await session.get(`${root}/e`, watcher)
        if (end === 'dispose') await other[Symbol.asyncDispose]()
        else await engine.expire(other)
        assert.deepEqual(await next(), { path: `${root}/e`, kind: 'deleted' })
      }
    },
  )

  contract('bad paths and a multi that is too large are refused', async ({ root }, session) => {
    for (const path of ['', 'a', `${root}/a/`, `${root}//a`, `${root}/./a`, `${root}/..`, `${root}/a\u0000`]) {
      assert.equal((await failureOf(session.multi([createNode(path)]))).failure, 'bad-arguments', JSON.stringify(path))
      assert.equal((await failureOf(session.exists(path))).failure, 'bad-arguments', JSON.stringify(path))
    }
    const large = new Uint8Array(MAX_MULTI_BYTES / 2)
    await session.multi([createNode(`${root}/a`, large)])
    await refused(session.multi([createNode(`${root}/b`, large), createNode(`${root}/c`, large)]), 'too-large', null)
    assert.equal(await session.exists(`${root}/b`), null)
  })

  contract('an empty multi does nothing', async (_engine, session) => {
    assert.deepEqual(await session.multi([]), [])
  })
}

function recorder(): { watcher: Watcher; next: () => Promise<WatchEvent>; count: () => number } {
  const events: WatchEvent[] = []
  let wake = (): void => {}
  let seen = 0
  return {
    watcher: (event) => {
      events.push(event)
      wake()
    },
    next: async () => {
      while (events.length <= seen) await new Promise<void>((resolve) => (wake = resolve))
      const event = events[seen++]
      assert.ok(event !== undefined)
      return event
    },
    count: () => events.length,
  }
}

async function failureOf(attempt: Promise<unknown>): Promise<CoordinationError> {
  const error = await attempt.then(
    () => assert.fail('expected a CoordinationError'),
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof CoordinationError, String(error))
  return error
}

async function refused(
  attempt: Promise<unknown>,
  failure: CoordinationFailure,
  operation: number | null,
): Promise<void> {
  const error = await failureOf(attempt)
  assert.ok(isCoordinationFailure(error, failure), `expected ${failure}, got ${error.failure}: ${error.message}`)
  assert.equal(error.operation, operation)
  if (operation !== null) assert.notEqual(error.path, null)
}
