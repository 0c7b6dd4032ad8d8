import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { startBroker } from 'millrace'
import { Kafka } from '../../kafka.ts'
import type { Producer } from '../../producer/producer.ts'
import type { ConsumerRecord, ProducerRecord } from '../../record.ts'
import { serde } from '../../serde/serdes.ts'
import type { Consumer } from '../consumer.ts'
import type { ConsumerOptions } from '../options.ts'
import { failureHeaders } from './failures/failed-record.ts'

const quick = {
  'group.consumer.heartbeat.interval.ms': 100,
  'group.consumer.min.heartbeat.interval.ms': 100,
}

type Text = ConsumerRecord<string, string>

async function world(context: TestContext, partitions = 1) {
  // The broker goes last.
  const owned = new AsyncDisposableStack()
  context.after(() => owned.disposeAsync())
  const broker = owned.use(
    await startBroker({ configs: { ...quick, 'num.partitions': 2, 'auto.create.topics.enable': false } }),
  )
  const kafka = new Kafka({ brokers: broker.bootstrapServers })
  const admin = owned.use(kafka.admin())
  await admin.createTopics([{ name: 'orders', numPartitions: partitions }])
  const producer: Producer<ProducerRecord<string, string>> = owned.use(
    kafka.producer({ key: serde.string, value: serde.string }),
  )
  const consumer = (options: Partial<ConsumerOptions<string, string>> = {}): Consumer<string, string> => {
    const made = kafka.consumer({
      groupId: 'g',
      topics: ['orders'],
      key: serde.string,
      value: serde.string,
      offsetReset: 'earliest',
      autoCommitIntervalMs: 50,
      fetchMaxWaitMs: 50,
      ...options,
    })
    return owned.use(made)
  }
  const write = (values: readonly string[], key?: (value: string) => string): Promise<unknown> =>
    producer.sendAll(values.map((value) => ({ topic: 'orders', key: key?.(value) ?? null, value })))
  return { kafka, admin, owned, consumer, write }
}

const textOf = (record: Text, name: string): string | undefined => {
  const value = record.header(name)
  return value === undefined || value === null ? undefined : Buffer.from(value).toString()
}

test('run handles all records, and a later run goes on behind them', async (context) => {
  const { consumer, write } = await world(context, 3)
  await write(Array.from({ length: 60 }, (_, index) => String(index)))
  const seen: string[] = []
  const abort = new AbortController()
  const first = consumer()
  await first.run({
    signal: abort.signal,
    concurrency: 4,
    ordering: 'key',
    eachRecord: async (record) => {
      await new Promise((resolve) => setImmediate(resolve))
      if (seen.push(record.value!) === 60) abort.abort()
    },
  })
  await first.close()
  await write(['later'])
  const again: string[] = []
  const second = consumer()
  await second.run({
    eachRecord: (record) => {
      again.push(record.value!)
      void second.close()
    },
  })
  assert.equal(new Set(seen).size, 60)
  assert.deepEqual(again, ['later'])
})

test('what a handler throws ends the run when nothing is to deal with it, and its record comes again', async (context) => {
  const { consumer, write } = await world(context)
  await write(['fine', 'bad', 'behind'])
  const first = consumer()
  await assert.rejects(
    first.run({
      eachRecord: (record) => {
        if (record.value === 'bad') throw new Error('no')
      },
    }),
    /^Error: no$/,
  )
  await first.close()
  const seen: string[] = []
  const second = consumer()
  await second.run({
    eachRecord: (record) => {
      if (seen.push(record.value!) === 2) void second.close()
    },
  })
  assert.deepEqual(seen, ['bad', 'behind'])
})

test('a member that joins takes over without a record being lost or handled twice', async (context) => {
  const { consumer, write } = await world(context, 4)
  const values = Array.from({ length: 400 }, (_, index) => String(index))
  await write(values)
  const seen: string[] = []
  const counts = [0, 0]
  const members = [consumer(), consumer()]
  const run = (member: number): Promise<void> =>
    members[member]!.run({
      concurrency: 2,
      eachRecord: async (record) => {
        await new Promise((resolve) => setImmediate(resolve))
        seen.push(record.value!)
        // The first waits for the other to come before it goes on.
        if (++counts[member]! === 100 && member === 0) {
          running.push(run(1))
        }
        if (member === 0 && counts[0]! > 100 && counts[1] === 0) await new Promise((resolve) => setTimeout(resolve, 5))
        if (seen.length === 400) for (const one of members) void one.close()
      },
    })
  const running = [run(0)]
  await running[0]
  await running[1]
  assert.equal(new Set(seen).size, 400)
  assert.equal(seen.length, 400)
})

test('a partition that was paused, let go and assigned again is read', { timeout: 60_000 }, async (context) => {
  const { consumer, write } = await world(context, 2)
  await write(['a'], () => 'key')
  const running = consumer({ topics: null, groupId: null })
  const both = [0, 1].map((partition) => ({ topic: 'orders', partition }))
  running.assign(both)
  const seen: string[] = []
  await running.run({
    eachRecord: ({ value, partition }) => {
      if (seen.push(value!) === 2) return void running.close()
      const [own, other] = [both[partition]!, both[1 - partition]!]
      running.pause([own])
      running.assign([other])
      running.assign(both)
    },
  })
  assert.deepEqual(seen, ['a', 'a'])
})

test('what is committed lies behind the markers of transactions, too', async (context) => {
  const { kafka, owned, consumer } = await world(context)
  const writer = owned.use(kafka.producer({ transactionalId: 'w', value: serde.string }))
  await writer.transaction(async (transaction) => {
    await transaction.send({ topic: 'orders', value: 'a' })
  })
  const running = consumer({ isolationLevel: 'read_committed' })
  await running.run({ eachRecord: () => void running.close() })
  await using reader = consumer({ groupId: 'g' })
  const [committed] = await reader.committed([{ topic: 'orders', partition: 0 }])
  assert.equal(committed?.offset, 2n)
})

test('repeated in place, a record holds up those behind it', async (context) => {
  const { consumer, write } = await world(context)
  await write(['a', 'b'])
  const seen: string[] = []
  const running = consumer()
  await running.run({
    retry: { attempts: 3, backoff: 20 },
    eachRecord: (record, { attempt }) => {
      seen.push(`${record.value}#${attempt}`)
      if (record.value === 'a' && attempt < 3) throw new Error('not yet')
      if (record.value === 'b') void running.close()
    },
  })
  assert.deepEqual(seen, ['a#1', 'a#2', 'a#3', 'b#1'])
})

test('repeated through topics, a record lets others pass, and comes as it was', async (context) => {
  const { admin, consumer, write } = await world(context)
  await write(['a', 'b', 'c'])
  const seen: string[] = []
  const running = consumer({ offsetReset: 'latest' })
  await consumer().commit([{ topic: 'orders', partition: 0, offset: 0n }])
  await running.run({
    retry: { attempts: 3, backoff: { initialMs: 300, factor: 2 }, topic: 'orders-retry' },
    eachRecord: (record, { attempt }) => {
      seen.push(`${record.topic}-${record.partition}@${record.offset} ${record.value}#${attempt}`)
      if (record.value === 'a' && attempt < 3) throw new Error('not yet')
      if (attempt === 3) void running.close()
    },
  })
  assert.deepEqual(
    seen.filter((one) => one.includes('a#')),
    ['orders-0@0 a#1', 'orders-0@0 a#2', 'orders-0@0 a#3'],
  )
  // Before the last attempt: how soon after the first depends on how busy the machine is.
  assert.deepEqual(new Set(seen.slice(0, -1)).size, 4)
  assert.ok(seen.includes('orders-0@1 b#1') && seen.includes('orders-0@2 c#1'), String(seen))
  const topics = (await admin.listTopics()).map(({ name }) => name)
  assert.deepEqual(topics.filter((name) => name.startsWith('orders')).toSorted(), [
    'orders',
    'orders-retry-1',
    'orders-retry-2',
  ])
})

test('what cannot be handled goes to the dead letters, with where it was and why, before its offset is committed', async (context) => {
  const { kafka, admin, owned, consumer, write } = await world(context)
  await write(['bad'], () => 'k')
  const running = consumer()
  const abort = new AbortController()
  const done = running.run({
    signal: abort.signal,
    retry: { attempts: 2, backoff: 10, topic: 'orders-retry' },
    deadLetter: { topic: 'orders-dead' },
    eachRecord: () => {
      throw new RangeError('out of stock')
    },
  })
  const reader = owned.use(kafka.consumer({ key: serde.string, value: serde.string, offsetReset: 'earliest' }))
  while (!(await admin.listTopics()).some(({ name }) => name === 'orders-dead'))
    await new Promise((resolve) => setTimeout(resolve, 20))
  reader.assign([{ topic: 'orders-dead', partition: 0 }])
  let letter: Text | null = null
  for await (const record of reader) {
    letter = record
    break
  }
  assert.equal(letter?.key, 'k')
  assert.equal(letter.value, 'bad')
  assert.equal(textOf(letter, failureHeaders.topic), 'orders')
  assert.equal(textOf(letter, failureHeaders.partition), '0')
  assert.equal(textOf(letter, failureHeaders.offset), '0')
  assert.equal(textOf(letter, failureHeaders.group), 'g')
  assert.equal(textOf(letter, failureHeaders.attempts), '2')
  assert.equal(textOf(letter, failureHeaders.exception), 'RangeError')
  assert.equal(textOf(letter, failureHeaders.message), 'out of stock')
  assert.match(textOf(letter, failureHeaders.stacktrace) ?? '', /RangeError: out of stock\n +at /)
  assert.match(textOf(letter, failureHeaders.timestamp) ?? '', /^\d{13}$/)
  assert.match(textOf(letter, failureHeaders.time) ?? '', /^\d{13}$/)
  assert.equal(textOf(letter, failureHeaders.due), undefined)
  abort.abort()
  await done
  await running.commit()
  const [main] = await running.committed([{ topic: 'orders', partition: 0 }])
  assert.equal(main?.offset, 1n)
})

test('a record that cannot be decoded is a dead letter as it is', async (context) => {
  const { kafka, owned, consumer, write } = await world(context)
  await write(['{"fine":1}', 'not json', '{"fine":2}'])
  const seen: unknown[] = []
  const running = owned.use(
    kafka.consumer({
      groupId: 'json',
      topics: ['orders'],
      value: serde.json(),
      offsetReset: 'earliest',
      fetchMaxWaitMs: 50,
    }),
  )
  await running.run({
    deadLetter: { topic: 'dead' },
    eachRecord: (record) => {
      if (seen.push(record.value) === 2) void running.close()
    },
  })
  assert.deepEqual(seen, [{ fine: 1 }, { fine: 2 }])
  const reader = consumer({ groupId: 'dead-readers', topics: ['dead'] })
  for await (const record of reader) {
    assert.equal(record.value, 'not json')
    break
  }
})

test('with keepKeyOrder records of a key follow one that waits, and other keys do not', async (context) => {
  const { consumer, write } = await world(context)
  await write(['a1', 'b1', 'a2', 'b2', 'a3'], (value) => value[0]!)
  const seen: string[] = []
  const running = consumer()
  await running.run({
    retry: { attempts: 4, backoff: 200, topic: 'again', keepKeyOrder: true },
    eachRecord: (record, { attempt }) => {
      seen.push(`${record.value}#${attempt}`)
      if (record.value === 'a1' && attempt < 3) throw new Error('not yet')
      if (record.value === 'a3') void running.close()
    },
  })
  const of = (key: string): string[] => seen.filter((one) => one.startsWith(key))
  assert.deepEqual(of('a'), ['a1#1', 'a1#2', 'a1#3', 'a2#1', 'a3#1'])
  assert.deepEqual(of('b'), ['b1#1', 'b2#1'])
  assert.ok(seen.indexOf('b2#1') < seen.indexOf('a2#1'), String(seen))
})

test('with keepKeyOrder a run that begins learns which keys wait, and later those that do no more', async (context) => {
  const { consumer, write } = await world(context)
  await write(['a1'], (value) => value[0]!)
  const options = { retry: { attempts: 3, backoff: 1500, jitter: 0, topic: 'again', keepKeyOrder: true } }
  const first = consumer()
  const seen: string[] = []
  const abort = new AbortController()
  await first.run({
    ...options,
    signal: abort.signal,
    eachRecord: () => {
      setTimeout(() => abort.abort(), 200)
      throw new Error('not yet')
    },
  })
  await first.close()
  await write(['a2', 'b2'], (value) => value[0]!)
  const second = consumer()
  const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
  let isFree = false
  const writing = (async () => {
    while (!seen.includes('a2#1 from 1')) await pause(20)
    // That is committed within 50 ms, and noticed within a second, or later on a busy machine: then the next one has to wait for a3.
    for (let next = 3, pauseMs = 1500; !isFree; next++, pauseMs *= 2) {
      await pause(pauseMs)
      await write([`a${next}`], (value) => value[0]!)
      while (!seen.some((one) => one.startsWith(`a${next}#`))) await pause(20)
    }
  })()
  await second.run({
    ...options,
    concurrency: 2,
    eachRecord: async (record, { attempt }) => {
      // The key waits until the partition of the others is read.
      while (record.value === 'a1' && !seen.includes('b2#1 from 0')) await pause(10)
      const from = textOf(record, failureHeaders.topic) === undefined ? 0 : 1
      seen.push(`${record.value}#${attempt} from ${from}`)
      if (from === 1 || !record.value!.startsWith('a')) return
      isFree = true
      void second.close()
    },
  })
  await writing
  const ofKey = seen.filter((one) => one.startsWith('a'))
  assert.deepEqual(ofKey.slice(0, 2), ['a1#2 from 1', 'a2#1 from 1'])
  assert.deepEqual(
    ofKey.slice(2),
    ofKey.slice(2).map((_, index, { length }) => `a${index + 3}#1 from ${index + 1 === length ? 0 : 1}`),
  )
  assert.ok(seen.includes('b2#1 from 0'))
})

test('committing a record that is tried again commits where it waited, and takes nothing back where it was read first', async (context) => {
  const { admin, consumer, write } = await world(context)
  await write(['a', 'b', 'c'])
  const abort = new AbortController()
  const reading = consumer({ enableAutoCommit: false })
  const handled = new Set<string>()
  await reading.run({
    signal: abort.signal,
    retry: { attempts: 2, backoff: 0, topic: 'again' },
    eachRecord: async (record, { attempt }) => {
      if (record.value === 'a' && attempt === 1) throw new Error('later')
      await reading.commit(record)
      if (handled.add(record.value!).size === 3) abort.abort()
    },
  })
  const [{ offsets }] = await admin.listGroupOffsets([{ groupId: 'g' }])
  assert.deepEqual(
    offsets
      .filter(({ offset }) => offset !== null)
      .map(({ topic, offset }) => `${topic}@${offset}`)
      .toSorted(),
    ['again@1', 'orders@3'],
  )
})

test('options that are unknown, wrong, or do not go together are refused', async (context) => {
  const { consumer } = await world(context)
  const running = consumer()
  const eachRecord = (): void => {}
  await assert.rejects(running.run({ eachRecord, concurency: 2 } as never), /did you mean concurrency/)
  await assert.rejects(running.run({ eachRecord, concurrency: 0 }), /concurrency expects a whole number/)
  await assert.rejects(running.run({ eachRecord, retry: { attempts: 0 } }), /retry: attempts expects/)
  for (const [backoff, message] of [
    [{ initialMs: 1, facter: 2 }, /retry\.backoff: there is no option facter; did you mean factor/],
    [{ factor: 2 }, /retry\.backoff: initialMs is missing/],
    [{ initialMs: 1, factor: 0.5 }, /retry\.backoff: factor expects/],
    ['1s', /retry: backoff expects a number of milliseconds, or/],
  ] as const)
    await assert.rejects(running.run({ eachRecord, retry: { attempts: 2, backoff: backoff as never } }), message)
  await assert.rejects(running.run({ eachRecord, retry: { attempts: 2, keepKeyOrder: true } }), /goes with retry.topic/)
  await assert.rejects(running.run({ eachRecord, deadLetter: { topic: 'orders' } }), /among the topics that this/)
  const pattern = consumer({ topics: /^orders/g })
  for (const topic of ['orders-dead', 'orders-dead', 'orders-gone'])
    await assert.rejects(pattern.run({ eachRecord, deadLetter: { topic } }), /among the topics that this/)
  const twoPauses = { attempts: 3, backoff: { initialMs: 1, factor: 2 } }
  for (const retry of [
    { attempts: 2, topic: 'orders' },
    { attempts: 2, topic: 'orders', keepKeyOrder: true },
  ])
    await assert.rejects(running.run({ eachRecord, retry }), /retry topic orders is among the topics that this/)
  for (const [topic, dead] of [
    ['again', 'again-2'],
    ['dead', 'dead-1'],
  ] as const)
    await assert.rejects(
      running.run({ eachRecord, retry: { ...twoPauses, topic }, deadLetter: { topic: dead } }),
      /is a retry topic, from which it would be read again/,
    )
  const manual = consumer({ enableAutoCommit: false })
  await assert.rejects(
    manual.run({ eachRecord, retry: { attempts: 2, topic: 'r', keepKeyOrder: true } }),
    /needs enableAutoCommit/,
  )
  const assigned = consumer({ topics: null, groupId: null })
  assigned.assign([{ topic: 'orders', partition: 0 }])
  await assert.rejects(assigned.run({ eachRecord, retry: { attempts: 2, topic: 'r' } }), /needs a groupId/)
})
