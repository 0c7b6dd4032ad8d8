import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nodeRuntime } from '@millrace/runtime'
import { SimulatedClock, SimulatedTime } from '@millrace/runtime/testing'
import fc from 'fast-check'
import type { HandlerContext } from '../../run-options.ts'
import { Executor } from './executor.ts'
import type { FailureRule } from './failure-rule.ts'
import type { Intake } from './partition-work.ts'
import { MemorySource, textRecord, type TextRecord } from '../testing/memory-source.ts'

type Handle = (record: TextRecord, context: HandlerContext) => void | Promise<void>

const throwing: FailureRule<string, string> = { judge: () => 'throw' }

interface Setting {
  readonly ordering?: 'partition' | 'key'
  readonly concurrency?: number
  readonly failureRule?: FailureRule<string, string>
  readonly intake?: Partial<Intake<string, string>>
  readonly batchRecords?: number
}

function executing(handle: Handle, setting: Setting = {}) {
  const { ordering = 'partition', concurrency = 1, failureRule = throwing, intake, batchRecords = 3 } = setting
  const time = new SimulatedTime()
  const clock = new SimulatedClock(time)
  const source = new MemorySource({ batchRecords })
  const executor = new Executor<string, string>({
    source,
    clock,
    handle,
    concurrency,
    failureRule,
    maxPollIntervalMs: 300_000,
    admit: null,
    intake: () => ({ ordering, dueMs: null, attempt: null, ...intake }),
  })
  return { time, clock, source, executor }
}

const partition0 = { topic: 't', partition: 0 }

function fill(source: MemorySource, count: number, key: (offset: number) => string | null = () => null): void {
  for (let offset = 0; offset < count; offset++) source.add(textRecord({ ...partition0, offset, key: key(offset) }))
}

test('handlers that return nothing run in order, and everything is handled', async () => {
  const seen: bigint[] = []
  const { time, source, executor } = executing((record) => void seen.push(record.offset))
  fill(source, 10)
  const running = executor.run()
  await time.advance(1)
  assert.deepEqual(seen, [0n, 1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n, 9n])
  assert.equal(source.committed(partition0), 10)
  await source.close()
  await time.run(running)
})

test('the source is told that the application waits only while no handler runs', async () => {
  const { time, clock, source, executor } = executing(() => clock.sleep(100), { ordering: 'key', concurrency: 2 })
  const running = executor.run()
  await time.advance(1)
  const waiting = source.idles
  assert.ok(waiting > 0)
  fill(source, 2, String)
  await time.advance(150)
  assert.ok(source.idles > waiting, 'both are done')
  const again = source.idles
  source.add(textRecord({ ...partition0, offset: 2, key: null }))
  await time.advance(50)
  source.add(textRecord({ topic: 'u', partition: 0, offset: 0, key: null }))
  await time.advance(20)
  assert.equal(source.idles, again, 'there is room for more, but a handler runs')
  await time.run(Promise.all([source.close(), running]))
})

test('a handler that throws at once ends the run, and only what is before its record is handled', async () => {
  const { time, source, executor } = executing((record) => {
    if (record.offset === 2n) throw new Error('no')
  })
  fill(source, 10)
  await assert.rejects(time.run(executor.run()), /^Error: no$/)
  assert.equal(source.committed(partition0), 2)
})

test('a handler that rejects ends the run when the others are done', async () => {
  let isOtherDone = false
  const { time, source, executor, clock } = executing(
    async (record) => {
      await clock.sleep(record.offset === 0n ? 10 : 50)
      if (record.offset === 0n) throw new Error('no')
      isOtherDone = true
    },
    { ordering: 'key', concurrency: 2 },
  )
  fill(source, 2)
  await assert.rejects(time.run(executor.run()), /^Error: no$/)
  assert.ok(isOtherDone)
  assert.equal(source.committed(partition0), 0)
})

test('after the signal aborts, what was taken and not handled is given to the next reader', async () => {
  const abort = new AbortController()
  const seen: bigint[] = []
  const handle: Handle = async (record) => {
    seen.push(record.offset)
    await clock.sleep(10)
    if (record.offset === 1n) abort.abort()
  }
  const { time, clock, source, executor } = executing(handle)
  fill(source, 5)
  await time.run(executor.run(abort.signal))
  assert.deepEqual(seen, [0n, 1n])
  assert.equal(source.committed(partition0), 2)
  const next = source.poll()
  assert.equal(next?.firstOffset, 2n)
})

test('a partition that is revoked waits for its handlers, whose signal aborts', async () => {
  const events: string[] = []
  const { time, source, executor, clock } = executing(async (record, { signal }) => {
    signal.addEventListener('abort', () => events.push(`aborted ${record.offset}`))
    await clock.sleep(100)
    events.push(`done ${record.offset}`)
  })
  fill(source, 5)
  const running = executor.run()
  await time.advance(50)
  const revoked = source.revoke(partition0).then(() => events.push('revoked'))
  await time.run(revoked)
  assert.deepEqual(events, ['aborted 0', 'done 0', 'revoked'])
  assert.equal(source.committed(partition0), 1)
  await time.advance(1000)
  assert.equal(events.length, 3)
  source.assign(partition0)
  await time.advance(150)
  assert.deepEqual(events.slice(3), ['done 1'])
  const closed = source.close()
  await time.run(Promise.all([closed, running]))
})

test('a handler that throws while its partition is revoked leaves its record to the next owner', async () => {
  const { time, source, executor, clock } = executing((record, { signal }) => clock.sleep(100, signal))
  fill(source, 2)
  const running = executor.run()
  await time.advance(50)
  await time.run(source.revoke(partition0))
  assert.equal(source.committed(partition0), 0)
  await source.close()
  await time.run(running)
})

test('a partition that comes back while a handler of before still runs is read again, after it', async () => {
  const seen: bigint[] = []
  const slow = Promise.withResolvers<void>()
  const { time, source, executor } = executing((record) => {
    seen.push(record.offset)
    return seen.length === 1 ? slow.promise : undefined
  })
  fill(source, 5)
  const running = executor.run()
  await time.advance(1)
  source.takeAway(partition0)
  source.assign(partition0)
  await time.advance(10)
  assert.deepEqual(seen, [0n])
  slow.resolve()
  await time.advance(10)
  assert.deepEqual(seen, [0n, 0n, 1n, 2n, 3n, 4n])
  assert.ok(source.isDone)
  await source.close()
  await time.run(running)
})

test('a run ends after the last handler, also of a partition that was taken away', async () => {
  const slow = Promise.withResolvers<void>()
  let isEnded = false
  const { time, source, executor } = executing(() => slow.promise)
  fill(source, 2)
  const running = executor.run().then(() => {
    isEnded = true
  })
  await time.advance(1)
  source.takeAway(partition0)
  source.assign(partition0)
  await time.advance(1)
  const closed = source.close()
  await time.advance(10)
  assert.equal(isEnded, false)
  slow.resolve()
  await time.run(Promise.all([closed, running]))
  assert.equal(source.committed(partition0), 0)
})

test('keys overtake a slow one, whose own records wait', async () => {
  const ended: string[] = []
  const { time, source, executor, clock } = executing(
    async (record) => {
      await clock.sleep(record.key === 'slow' ? 1000 : 1)
      ended.push(`${record.key}${record.offset}`)
    },
    { ordering: 'key', concurrency: 3 },
  )
  fill(source, 6, (offset) => (offset % 3 === 0 ? 'slow' : `fast${offset}-`))
  const running = executor.run()
  await time.advance(100)
  assert.deepEqual(ended, ['fast1-1', 'fast2-2', 'fast4-4', 'fast5-5'])
  assert.equal(source.committed(partition0), 0)
  await time.advance(2000)
  assert.deepEqual(ended.slice(4), ['slow0', 'slow3'])
  assert.equal(source.committed(partition0), 6)
  await source.close()
  await time.run(running)
})

test('a record that is to be handled again holds up its partition, not the others, and takes no room', async () => {
  const seen: string[] = []
  const { time, source, executor } = executing(
    (record, { attempt }) => {
      seen.push(`${record.partition}:${record.offset}#${attempt}`)
      if (record.partition === 0 && attempt < 3) throw new Error('not yet')
    },
    { failureRule: { judge: () => ({ againInMs: 100 }) } },
  )
  source.add(textRecord({ topic: 't', partition: 0, offset: 0, key: null }))
  source.add(textRecord({ topic: 't', partition: 0, offset: 1, key: null }))
  source.add(textRecord({ topic: 't', partition: 1, offset: 0, key: null }))
  const running = executor.run()
  await time.advance(50)
  assert.deepEqual(seen, ['0:0#1', '1:0#1'])
  await time.advance(1000)
  assert.deepEqual(seen.slice(2), ['0:0#2', '0:0#3', '0:1#1', '0:1#2', '0:1#3'])
  assert.ok(source.isDone)
  await source.close()
  await time.run(running)
})

test('a record counts as handled once it is safe elsewhere', async () => {
  const { time, source, executor, clock } = executing(
    () => {
      throw new Error('no')
    },
    { failureRule: { judge: () => ({ elsewhere: clock.sleep(100) }) } },
  )
  fill(source, 1)
  const running = executor.run()
  await time.advance(90)
  assert.equal(source.committed(partition0), 0)
  await time.advance(20)
  assert.equal(source.committed(partition0), 1)
  await source.close()
  await time.run(running)
})

test('when it cannot be brought to safety the run ends, and nothing is committed', async () => {
  const { time, source, executor } = executing(
    () => {
      throw new Error('no')
    },
    { failureRule: { judge: () => ({ elsewhere: Promise.reject(new Error('no place')) }) } },
  )
  fill(source, 1)
  await assert.rejects(time.run(executor.run()), /no place/)
  assert.equal(source.committed(partition0), 0)
})

for (const [how, fail] of [
  ['throws', () => assert.fail('no')],
  ['rejects', () => Promise.reject(new Error('no'))],
] as const)
  test(`records on their way elsewhere take up room when their handler ${how}`, async () => {
    const begun: bigint[] = []
    const { time, source, executor, clock } = executing(
      (record) => {
        begun.push(record.offset)
        return fail()
      },
      { ordering: 'key', concurrency: 2, failureRule: { judge: () => ({ elsewhere: clock.sleep(100) }) } },
    )
    fill(source, 5)
    const running = executor.run()
    await time.advance(50)
    assert.deepEqual(begun, [0n, 1n])
    await time.advance(100)
    assert.deepEqual(begun, [0n, 1n, 2n, 3n])
    await time.advance(200)
    assert.ok(source.isDone)
    await source.close()
    await time.run(running)
  })

test('a partition whose record is not due waits, without ending the wait early for a pause', async () => {
  const seen: bigint[] = []
  const { time, clock, source, executor } = executing((record) => void seen.push(record.offset), {
    intake: { dueMs: (record) => dueMs + Number(record.offset) * 100 },
  })
  const dueMs = clock.now() + 100
  fill(source, 3)
  const running = executor.run()
  await time.advance(50)
  assert.deepEqual(seen, [])
  source.pause(partition0)
  source.resume(partition0)
  await time.advance(1)
  assert.deepEqual(seen, [])
  await time.advance(100)
  assert.deepEqual(seen, [0n])
  await time.advance(1000)
  assert.deepEqual(seen, [0n, 1n, 2n])
  await source.close()
  await time.run(running)
})

test('a record that waited for another of its key is not handled before it is due either', async () => {
  const seen: bigint[] = []
  const { time, clock, source, executor } = executing((record) => void seen.push(record.offset), {
    ordering: 'key',
    intake: { dueMs: (record) => beginMs + (record.offset === 0n ? 100 : 500) },
  })
  const beginMs = clock.now()
  fill(source, 3, () => 'key')
  const running = executor.run()
  await time.advance(200)
  assert.deepEqual(seen, [0n])
  await time.advance(200)
  assert.deepEqual(seen, [0n])
  await time.advance(200)
  assert.deepEqual(seen, [0n, 1n, 2n])
  assert.ok(source.isDone)
  await source.close()
  await time.run(running)
})

test('a paused partition begins no record that is in hand already', async () => {
  const seen: bigint[] = []
  const { time, source, executor } = executing((record) => {
    seen.push(record.offset)
    if (record.offset === 1n) source.pause(partition0)
  })
  fill(source, 3)
  const running = executor.run()
  await time.advance(100)
  assert.deepEqual(seen, [0n, 1n])
  source.resume(partition0)
  await time.advance(1)
  assert.deepEqual(seen, [0n, 1n, 2n])
  await source.close()
  await time.run(running)
})

test('a handler that seeks has the records behind it dropped, and does not count itself', async () => {
  const seen: bigint[] = []
  const { time, source, executor } = executing((record) => {
    seen.push(record.offset)
    if (seen.length === 2) source.seek(partition0, 0)
  })
  fill(source, 3)
  const running = executor.run()
  await time.advance(100)
  assert.deepEqual(seen, [0n, 1n, 0n, 1n, 2n])
  assert.equal(source.committed(partition0), 3)
  await source.close()
  await time.run(running)
})

test('an endless stream for handlers without promises leaves turns of the event loop to others', async () => {
  const { clock } = nodeRuntime()
  const source = new MemorySource()
  let count = 0
  const executor = new Executor<string, string>({
    source,
    clock,
    handle: () => {
      const endMs = clock.monotonicMs() + 5
      while (clock.monotonicMs() < endMs);
      source.add(textRecord({ ...partition0, offset: ++count, key: null }))
    },
    concurrency: 1,
    failureRule: throwing,
    maxPollIntervalMs: 300_000,
    admit: null,
    intake: () => ({ ordering: 'partition', dueMs: null, attempt: null }),
  })
  fill(source, 1)
  const abort = new AbortController()
  const running = executor.run(abort.signal)
  await clock.nextTurn()
  abort.abort()
  await running
  assert.ok(count < 50, `${count}`)
})

test('a handler that hangs is told apart from an application that is alive', async () => {
  const hang = Promise.withResolvers<void>()
  const { time, source, executor } = executing((record) => (record.offset === 0n ? hang.promise : undefined), {
    ordering: 'key',
    concurrency: 2,
  })
  const running = executor.run()
  await time.advance(299_000)
  const idle = source.signsOfLife
  assert.ok(idle >= 9, `${idle}`)
  fill(source, 1)
  await time.advance(30_000)
  const begun = source.signsOfLife
  for (let offset = 1; offset < 20; offset++) {
    source.add(textRecord({ ...partition0, offset, key: null }))
    await time.advance(30_000)
  }
  assert.equal(source.signsOfLife, begun)
  hang.resolve()
  await time.advance(30_000)
  assert.ok(source.signsOfLife > begun)
  await source.close()
  await time.run(running)
})

test('an application is alive while a record of its waits to be handled again', async () => {
  const { time, source, executor } = executing(
    (_, { attempt }) => {
      if (attempt === 1) throw new Error('later')
    },
    { failureRule: { judge: () => ({ againInMs: 3_000_000 }) } },
  )
  fill(source, 1)
  const running = executor.run()
  await time.advance(2_900_000)
  assert.ok(source.signsOfLife > 90, `${source.signsOfLife}`)
  assert.equal(source.committed(partition0), 0)
  await time.advance(200_000)
  assert.ok(source.isDone)
  await source.close()
  await time.run(running)
})

/** What a handler does with one record. */
const deeds = fc.record({
  takesMs: fc.constantFrom(null, 0, 1, 5, 50),
  /** Attempts that fail before one succeeds. */
  failures: fc.constantFrom(0, 0, 0, 1, 2),
})

const incidents = fc.record({
  afterMs: fc.integer({ min: 0, max: 30 }),
  partition: fc.integer({ min: 0, max: 2 }),
  type: fc.constantFrom('revoke' as const, 'assign' as const, 'pause' as const, 'resume' as const, 'seek' as const),
})

test('whatever happens, lanes are in order, room is kept, commits have no gap, and every record is handled', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        ordering: fc.constantFrom('partition' as const, 'key' as const),
        concurrency: fc.integer({ min: 1, max: 6 }),
        batchRecords: fc.integer({ min: 1, max: 7 }),
        records: fc.array(
          fc.record({
            partition: fc.integer({ min: 0, max: 2 }),
            key: fc.constantFrom(null, 'a', 'b', 'c'),
            deed: deeds,
          }),
          { minLength: 1, maxLength: 60 },
        ),
        incidents: fc.array(incidents, { maxLength: 12 }),
      }),
      async ({ ordering, concurrency, batchRecords, records, incidents: story }) => {
        const deedOf = new Map<string, (typeof records)[number]['deed']>()
        const finished = new Set<string>()
        const inLane = new Map<string, string>()
        const lastOfLane = new Map<string, bigint>()
        const failedInLane = new Map<string, bigint>()
        /** Grow whenever records of the partition come again. */
        const lives = [0, 0, 0]
        const again = (partition: number): void => {
          lives[partition]!++
          for (const lane of ['', 'a', 'b', 'c', 'null']) {
            lastOfLane.delete(`${partition}${lane}`)
            failedInLane.delete(`${partition}${lane}`)
          }
        }
        let inHand = 0
        const id = (record: TextRecord): string => `${record.partition}:${record.offset}`
        const { time, clock, source, executor } = executing(
          (record, { attempt }) => {
            const { takesMs, failures } = deedOf.get(id(record))!
            const isOrdered = ordering === 'partition' || record.key !== null
            const lane = ordering === 'partition' ? `${record.partition}` : `${record.partition}${record.key}`
            const life = lives[record.partition]!
            if (isOrdered) {
              assert.equal(inLane.get(lane), undefined, `${id(record)} begins while ${inLane.get(lane)} is in hand`)
              inLane.set(lane, id(record))
              const expected = failedInLane.get(lane)
              if (expected === undefined)
                assert.ok(record.offset > (lastOfLane.get(lane) ?? -1n), `${id(record)} again`)
              else assert.equal(record.offset, expected, `${id(record)} overtakes`)
            }
            assert.ok(++inHand <= concurrency, `${inHand} in hand`)
            const end = (): void => {
              inHand--
              inLane.delete(lane)
              const isFailed = attempt <= failures
              if (life === lives[record.partition]) {
                if (isFailed) failedInLane.set(lane, record.offset)
                else failedInLane.delete(lane)
                if (!isFailed) lastOfLane.set(lane, record.offset)
              }
              if (isFailed) throw new Error('again')
              finished.add(id(record))
            }
            if (takesMs === null) return end()
            return clock.sleep(takesMs).then(end)
          },
          { ordering, concurrency, batchRecords, failureRule: { judge: () => ({ againInMs: 7 }) } },
        )
        const counts = [0, 0, 0]
        for (const { partition, key, deed } of records) {
          const record = textRecord({ topic: 't', partition, offset: counts[partition]!++, key })
          deedOf.set(id(record), deed)
          source.add(record)
        }
        const check = (): void => {
          for (let partition = 0; partition < 3; partition++)
            for (let offset = 0; offset < source.committed({ topic: 't', partition }); offset++)
              assert.ok(finished.has(`${partition}:${offset}`), `${partition}:${offset} is committed unfinished`)
        }
        const running = executor.run()
        running.catch(() => {})
        const revocations = new Map<number, Promise<void>>()
        for (const { afterMs, partition, type } of story) {
          await time.advance(afterMs)
          check()
          const which = { topic: 't', partition }
          if (revocations.has(partition)) {
            await time.run(revocations.get(partition)!)
            revocations.delete(partition)
            for (const [lane, record] of inLane)
              assert.ok(!lane.startsWith(`${partition}`), `${record} is in hand after its revocation`)
          }
          if (type === 'revoke') {
            again(partition)
            revocations.set(partition, source.revoke(which))
          } else if (type === 'assign') source.assign(which)
          else if (type === 'seek') {
            again(partition)
            source.seek(which, 0)
          } else if (type === 'pause') source.pause(which)
          else if (type === 'resume') source.resume(which)
        }
        await time.run(Promise.all(revocations.values()))
        for (let partition = 0; partition < 3; partition++) {
          source.assign({ topic: 't', partition })
          source.resume({ topic: 't', partition })
        }
        await time.advance(60 * 200)
        check()
        assert.ok(source.isDone, 'everything is committed')
        await time.run(source.close())
        await time.run(running)
        assert.equal(inHand, 0)
      },
    ),
    { numRuns: 300 },
  )
})
