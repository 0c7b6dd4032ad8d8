/** Failures by the rules of `run`, in a world of simulated time in which the process dies whenever it may. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SeededRandom, SimulatedClock, SimulatedTime } from '@millrace/runtime/testing'
import fc from 'fast-check'
import type { RecordHeader, RecordMetadata } from '../../../record.ts'
import type { RecordSource } from '../../record-source.ts'
import type { RetryOptions } from '../../run-options.ts'
import { BackoffSchedule } from './backoff-schedule.ts'
import { Executor } from '../executor/executor.ts'
import { failureHeaders, headersFor, passageOf, shortened } from './failed-record.ts'
import { FailureSink, UnsafeRecord, type BytesProducer } from './failure-sink.ts'
import { RunFailures } from './run-failures.ts'
import { MemorySource, textRecord, type TextRecord } from '../testing/memory-source.ts'

const random = new SeededRandom(1)

test('pauses grow up to their bound, and each length of them has a topic', () => {
  const growing = new BackoffSchedule({ attempts: 6, backoff: { initialMs: 100, factor: 3, maxMs: 1000 }, jitter: 0 })
  assert.deepEqual(
    [1, 2, 3, 4, 5].map((failed) => growing.delayMs(failed, random)),
    [100, 300, 900, 1000, 1000],
  )
  assert.deepEqual(growing.topics('r'), ['r-1', 'r-2', 'r-3', 'r-4'])
  assert.deepEqual(
    [1, 4, 5].map((failed) => growing.topic('r', failed)),
    ['r-1', 'r-4', 'r-4'],
  )
  const constant = new BackoffSchedule({ attempts: 10, backoff: 50 })
  assert.deepEqual(constant.topics('r'), ['r'])
  const long = new BackoffSchedule({ attempts: 3, backoff: { initialMs: 300_000 }, jitter: 0 })
  assert.deepEqual([long.delayMs(1, random), long.delayMs(2, random)], [300_000, 300_000])
  const endless = new BackoffSchedule({ attempts: Number.MAX_SAFE_INTEGER, backoff: { initialMs: 1, factor: 1.0001 } })
  assert.ok(endless.topics('r').length <= 32)
  const delays = Array.from({ length: 100 }, () => constant.delayMs(1, random))
  assert.ok(delays.every((delay) => delay >= 40 && delay <= 60) && new Set(delays).size > 5)
})

const asRead = (headers: readonly (readonly [string, string | Uint8Array | null])[]): RecordHeader[] =>
  headers.map(([key, value]) => ({ key, value: typeof value === 'string' ? Buffer.from(value) : value }))

test('headers say what happened, keep those of the record, and replace those of an earlier failure', () => {
  const record = textRecord({
    topic: 'orders',
    partition: 3,
    offset: 7,
    key: 'k',
    headers: asRead([
      ['trace', 'x'],
      [failureHeaders.message, 'an older one'],
    ]),
  })
  const headers = headersFor({
    record,
    origin: record,
    groupId: 'g',
    attempts: 2,
    error: new RangeError('no'),
    nowMs: 99,
    dueMs: 199,
  })
  assert.deepEqual(
    headers.filter(([name]) => name !== failureHeaders.stacktrace),
    [
      ['trace', x()],
      [failureHeaders.topic, 'orders'],
      [failureHeaders.partition, '3'],
      [failureHeaders.offset, '7'],
      [failureHeaders.timestamp, '1767225600000'],
      [failureHeaders.attempts, '2'],
      [failureHeaders.group, 'g'],
      [failureHeaders.exception, 'RangeError'],
      [failureHeaders.message, 'no'],
      [failureHeaders.time, '99'],
      [failureHeaders.due, '199'],
    ],
  )
  const carrier = textRecord({ topic: 'r', partition: 0, offset: 0, key: 'k', headers: asRead(headers) })
  assert.deepEqual(passageOf(carrier), {
    origin: { topic: 'orders', partition: 3, offset: 7n, timestamp: 1_767_225_600_000 },
    attempts: 2,
    dueMs: 199,
  })
  assert.equal(passageOf(record), null)

  function x(): Buffer {
    return Buffer.from('x')
  }
})

test('what is thrown is told whatever it is, and cut between characters when it is long', () => {
  const record = textRecord({ topic: 't', partition: 0, offset: 0, key: null })
  const headersOf = (error: unknown) =>
    new Map(headersFor({ record, origin: record, groupId: null, attempts: 1, error, nowMs: 0, dueMs: null }))
  assert.equal(headersOf('just a text').get(failureHeaders.message), 'just a text')
  assert.equal(headersOf(null).get(failureHeaders.message), 'null')
  assert.equal(headersOf(undefined).get(failureHeaders.message), 'undefined')
  const hostile = Object.defineProperty(new Error('x'), 'message', {
    get: () => {
      throw new Error('even this')
    },
  })
  assert.equal(headersOf(hostile).get(failureHeaders.message), 'it cannot be shown')
  fc.assert(
    fc.property(fc.array(fc.constantFrom('a', 'é', '€', '😀'), { minLength: 300, maxLength: 1_100 }), (characters) => {
      const message = characters.join('')
      const told = String(headersOf(new Error(message)).get(failureHeaders.message))
      assert.ok(Buffer.byteLength(told) <= 1024)
      const whole = Buffer.from(message, 'utf8').toString('utf8')
      if (Buffer.byteLength(message) <= 1024) assert.equal(told, whole)
      // A pair of UTF-16 may be cut in the middle by what was bytes before.
      else assert.ok(whole.startsWith(told) || whole.startsWith(told.slice(0, -1)))
    }),
    { numRuns: 20 },
  )
  const names = shortened([...headersOf(new Error('x'))]).map(([name]) => name)
  assert.ok(!names.includes(failureHeaders.stacktrace) && names.includes(failureHeaders.exception))
})

const forever = (): Promise<never> => new Promise(() => {})

interface Written {
  readonly topic: string
  readonly value: string
  readonly headers: readonly RecordHeader[]
}

/** What a broker keeps, and a process that reads it, fails, writes, and dies. */
class World {
  readonly time = new SimulatedTime()
  readonly clock = new SimulatedClock(this.time)
  readonly source = new MemorySource({ batchRecords: 3 })
  readonly written: Written[] = []
  readonly handled: string[] = []
  readonly #retry: RetryOptions
  readonly #failures: ReadonlyMap<string, number>
  /** Writes end after so long, and of a process that has died they may have been done or not. */
  readonly #writeMs: number
  readonly #chance: SeededRandom
  life = 0

  constructor(retry: RetryOptions, failures: ReadonlyMap<string, number>, writeMs: number, seed: number) {
    this.#retry = retry
    this.#failures = failures
    this.#writeMs = writeMs
    this.#chance = new SeededRandom(seed)
  }

  /** Resolves when the process has ended, or is dead: nothing of it has any effect then. */
  async process(concurrency: number, dead: AbortSignal): Promise<void> {
    const life = ++this.life
    const isDead = (): boolean => life !== this.life || dead.aborted
    const schedule = new BackoffSchedule(this.#retry)
    const retryTopics = new Set(schedule.topics('retry'))
    const producer: BytesProducer = {
      send: async ({ topic, value, headers }): Promise<RecordMetadata> => {
        await this.clock.sleep(this.#writeMs)
        // Of a process that has died meanwhile it may have been on the wire already, or not.
        if (isDead() && this.#chance.next() < 0.5) return forever()
        const kept = asRead(headers as [string, string][])
        const offset = this.written.filter((one) => one.topic === topic).length
        const text = Buffer.from(value!).toString()
        this.written.push({ topic, value: text, headers: kept })
        const place = { topic, partition: 0, offset }
        if (topic !== 'dead') this.source.add(textRecord({ ...place, key: null, value: text, headers: kept }))
        return { topic, partition: 0, offset: BigInt(offset), timestamp: 0 }
      },
      close: async () => {},
    }
    /** A dead process asks for nothing and says nothing any more. */
    const mortal: RecordSource<string, string> = {
      attach: (reader) => this.source.attach(reader),
      poll: () => (isDead() ? null : this.source.poll()),
      available: async (signal) => ((await this.source.available(signal)) && !isDead()) || forever(),
      hold: (partition) => void (isDead() || this.source.hold(partition)),
      release: (partition) => void (isDead() || this.source.release(partition)),
      handled: (position) => void (isDead() || this.source.handled(position)),
      rewind: (position) => void (isDead() || this.source.rewind(position)),
      polled: () => {},
      idle: () => {},
    }
    const executor = new Executor<string, string>({
      source: mortal,
      clock: this.clock,
      concurrency,
      maxPollIntervalMs: 300_000,
      admit: null,
      handle: async (record, { attempt }) => {
        await this.clock.sleep(2)
        if (isDead()) return forever()
        if (attempt <= (this.#failures.get(record.value!) ?? 0)) throw new Error('no')
        this.handled.push(record.value!)
      },
      intake: (topic) => ({
        ordering: 'key',
        dueMs: retryTopics.has(topic) ? (record) => passageOf(record)?.dueMs ?? 0 : null,
        attempt: retryTopics.has(topic) ? (record) => (passageOf(record)?.attempts ?? 0) + 1 : null,
      }),
      failureRule: new RunFailures({
        retry: this.#retry,
        schedule,
        retryTopics,
        deadLetter: { topic: 'dead' },
        sink: new FailureSink(() => producer),
        waitingKeys: null,
        groupId: 'g',
        clock: this.clock,
        random,
      }),
    })
    await executor.run()
  }
}

test('wherever a process dies, every record is handled or a dead letter in the end', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom(0, 0, 0, 1, 2, 9), { minLength: 1, maxLength: 20 }),
      fc.array(fc.integer({ min: 1, max: 120 }), { maxLength: 5 }),
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 0, max: 30 }),
      fc.nat(),
      async (failures, deaths, concurrency, writeMs, seed) => {
        const retry: RetryOptions = { attempts: 3, backoff: { initialMs: 20, factor: 2 }, topic: 'retry' }
        const failuresOf = new Map(failures.map((count, index) => [String(index), count]))
        const world = new World(retry, failuresOf, writeMs, seed)
        failures.forEach((_, index) =>
          world.source.add(
            textRecord({
              topic: 't',
              partition: 0,
              offset: index,
              key: index % 3 === 0 ? null : `k${index % 3}`,
              value: String(index),
            }),
          ),
        )
        for (const afterMs of deaths) {
          const dead = new AbortController()
          const dying = world.process(concurrency, dead.signal)
          dying.catch(() => {})
          await world.time.advance(afterMs)
          dead.abort()
          world.source.restart()
        }
        const living = world.process(concurrency, new AbortController().signal)
        living.catch(() => {})
        await world.time.advance(60_000)
        assert.ok(world.source.isDone, 'everything is committed')
        const dead = world.written.filter(({ topic }) => topic === 'dead').map(({ value }) => value)
        for (const [value, count] of failuresOf) {
          if (count < 3) assert.ok(world.handled.includes(value), `${value} was not handled`)
          else assert.ok(dead.includes(value), `${value} is no dead letter`)
        }
        if (deaths.length === 0) {
          assert.equal(new Set(world.handled).size, world.handled.length)
          assert.equal(new Set(dead).size, dead.length)
        }
      },
    ),
    { numRuns: 200 },
  )
})

test('a record that cannot be written anywhere ends the run, says which, and stays uncommitted', async () => {
  const time = new SimulatedTime()
  const clock = new SimulatedClock(time)
  const source = new MemorySource()
  const refusing: BytesProducer = {
    send: () => Promise.reject(new Error('not authorized')),
    close: async () => {},
  }
  source.add(textRecord({ topic: 't', partition: 0, offset: 0, key: null }))
  const executor = new Executor<string, string>({
    source,
    clock,
    concurrency: 1,
    maxPollIntervalMs: 300_000,
    admit: null,
    handle: () => {
      throw new Error('no')
    },
    intake: () => ({ ordering: 'partition', dueMs: null, attempt: null }),
    failureRule: new RunFailures({
      retry: null,
      schedule: null,
      retryTopics: new Set(),
      deadLetter: { topic: 'dead' },
      sink: new FailureSink(() => refusing),
      waitingKeys: null,
      groupId: 'g',
      clock,
      random,
    }),
  })
  await assert.rejects(time.run(executor.run()), (error) => {
    assert.ok(error instanceof UnsafeRecord)
    assert.match(error.message, /record t-0 at offset 0 failed, and could not be written to dead: not authorized/)
    return true
  })
  assert.equal(source.committed({ topic: 't', partition: 0 }), 0)
})

test('errors that are not worth another attempt go straight to the dead letters', () => {
  const sent: string[] = []
  const rule = new RunFailures<string, string>({
    retry: { attempts: 5, retriable: (error) => (error as Error).message !== 'hopeless' },
    schedule: new BackoffSchedule({ attempts: 5 }),
    retryTopics: new Set(),
    deadLetter: { topic: 'dead' },
    sink: {
      send: async (topic: string) => {
        sent.push(topic)
      },
    } as unknown as FailureSink,
    waitingKeys: null,
    groupId: null,
    clock: new SimulatedClock(new SimulatedTime()),
    random,
  })
  const record: TextRecord = textRecord({ topic: 't', partition: 0, offset: 0, key: null })
  assert.ok('againInMs' in (rule.judge({ record, error: new Error('x'), attempt: 1 }) as object))
  assert.deepEqual(sent, [])
  rule.judge({ record, error: new Error('hopeless'), attempt: 1 })
  assert.deepEqual(sent, ['dead'])
})
