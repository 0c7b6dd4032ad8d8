import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { serde } from '../serde/serdes.ts'
import { consuming } from './testing/consuming.ts'

const p0 = { topic: 'orders', partition: 0 }

test('assigned partitions are read from the beginning, and what comes later too', async (context) => {
  const { kafka, admin, append } = await consuming(context)
  await admin.createTopics([{ name: 'orders', numPartitions: 2 }])
  await append(p0, ['a', 'b', 'c'])
  await using consumer = kafka.consumer({ value: serde.string, offsetReset: 'earliest' })
  consumer.assign([p0, { topic: 'orders', partition: 1 }])
  const seen: string[] = []
  for await (const record of consumer) {
    seen.push(`${record.partition}:${record.offset}=${record.value}`)
    if (seen.length === 3) await append({ topic: 'orders', partition: 1 }, ['d'])
    if (seen.length === 4) break
  }
  assert.deepEqual(seen, ['0:0=a', '0:1=b', '0:2=c', '1:0=d'])
})

test('records stay good for as long as they are kept, decoded or not', async (context) => {
  const { kafka, admin, append } = await consuming(context)
  await admin.createTopics([{ name: 'orders' }])
  const values = Array.from({ length: 1000 }, (_, index) => `value ${index}`)
  await append(p0, values, { key: 'k', timestamp: 1_700_000_000_123n })
  for (let more = 0; more < 20; more++) await append(p0, ['x'.repeat(100_000)])
  await using consumer = kafka.consumer({ key: serde.string, value: serde.string, offsetReset: 'earliest' })
  consumer.assign([p0])
  const kept = []
  for await (const record of consumer) {
    kept.push(record)
    if (kept.length === 1020) break
  }
  for (const [index, record] of kept.entries()) {
    assert.equal(record.offset, BigInt(index))
    if (index >= 1000) continue
    assert.equal(record.value, `value ${index}`)
    assert.equal(record.key, 'k')
    assert.equal(record.timestamp, 1_700_000_000_123)
    assert.equal(record.timestampType, 'CreateTime')
    assert.equal(record.leaderEpoch, 0)
    assert.deepEqual(record.headers, [])
  }
})

test('batches hold records of one partition, up to maxPollRecords, and say how many are behind them', async (context) => {
  const { kafka, admin, append } = await consuming(context)
  await admin.createTopics([{ name: 'orders' }])
  await append(
    p0,
    Array.from({ length: 25 }, (_, index) => `${index}`),
  )
  await using consumer = kafka.consumer({ value: serde.string, offsetReset: 'earliest', maxPollRecords: 10 })
  consumer.assign([p0])
  const seen: [number, bigint, bigint, bigint][] = []
  for await (const batch of consumer.batches()) {
    assert.deepEqual(
      [...batch].map(({ value }) => Number(value)),
      Array.from({ length: batch.count }, (_, index) => Number(batch.firstOffset) + index),
    )
    seen.push([batch.count, batch.firstOffset, batch.end.offset, batch.lag])
    if (batch.lag === 0n) break
  }
  assert.deepEqual(seen, [
    [10, 0n, 10n, 15n],
    [10, 10n, 20n, 5n],
    [5, 20n, 25n, 0n],
  ])
  assert.equal(await consumer.position(p0), 25n)
  assert.equal(consumer.currentLag(p0), 0n)
})

test('a loop can be left by break, return and throw, and another takes over where it was', async (context) => {
  const { kafka, admin, append } = await consuming(context)
  await admin.createTopics([{ name: 'orders' }])
  await append(p0, ['0', '1', '2', '3', '4', '5'])
  await using consumer = kafka.consumer({ value: serde.string, offsetReset: 'earliest' })
  consumer.assign([p0])
  const seen: (string | null)[] = []
  for await (const { value } of consumer) {
    seen.push(value)
    break
  }
  assert.equal(await consumer.position(p0), 1n)
  await (async () => {
    for await (const { value } of consumer) {
      seen.push(value)
      return
    }
  })()
  const failing = async () => {
    for await (const { value } of consumer.records()) {
      seen.push(value)
      throw new Error('no')
    }
  }
  await assert.rejects(failing, /^Error: no$/)
  for await (const batch of consumer.batches()) {
    seen.push(...[...batch].map(({ value }) => value))
    break
  }
  assert.deepEqual(seen, ['0', '1', '2', '3', '4', '5'])
})

test('two loops at once are an error of the second', async (context) => {
  const { kafka, admin, append } = await consuming(context)
  await admin.createTopics([{ name: 'orders' }])
  await append(p0, ['0', '1'])
  await using consumer = kafka.consumer({ offsetReset: 'earliest' })
  consumer.assign([p0])
  for await (const first of consumer) {
    assert.equal(first.offset, 0n)
    await assert.rejects(consumer.batches()[Symbol.asyncIterator]().next(), /is being read already/)
    break
  }
})

test('a signal ends a loop that waits, and one that has records', async (context) => {
  const { kafka, admin, append } = await consuming(context)
  await admin.createTopics([{ name: 'orders' }])
  await using consumer = kafka.consumer({ offsetReset: 'earliest' })
  consumer.assign([p0])
  const waiting = new AbortController()
  setImmediate(() => waiting.abort())
  for await (const _ of consumer.records({ signal: waiting.signal })) assert.fail('there is nothing')
  await append(p0, ['0', '1', '2'])
  const reading = new AbortController()
  const seen: bigint[] = []
  for await (const { offset } of consumer.records({ signal: reading.signal })) {
    seen.push(offset)
    if (offset === 1n) reading.abort()
  }
  assert.deepEqual(seen, [0n, 1n])
  for await (const { offset } of consumer) {
    seen.push(offset)
    break
  }
  assert.deepEqual(seen, [0n, 1n, 2n])
})

test('closing ends loops, also while one waits, and from within', async (context) => {
  const { kafka, admin, append } = await consuming(context)
  await admin.createTopics([{ name: 'orders' }])
  const waiting = kafka.consumer()
  waiting.assign([p0])
  setImmediate(() => void waiting.close())
  for await (const _ of waiting) assert.fail('there is nothing')
  await append(p0, ['0', '1'])
  const within = kafka.consumer({ offsetReset: 'earliest' })
  within.assign([p0])
  let count = 0
  for await (const _ of within) {
    count++
    await within.close()
  }
  assert.equal(count, 1)
  await within.close()
  assert.throws(() => within.assign([p0]), /is closed/)
})

test('pausing keeps what was prefetched, and hands out others meanwhile', async (context) => {
  const { kafka, admin, append } = await consuming(context)
  await admin.createTopics([{ name: 'orders', numPartitions: 2 }])
  const p1 = { topic: 'orders', partition: 1 }
  await append(p0, ['a', 'b', 'c'])
  await append(p1, ['x', 'y'])
  await using consumer = kafka.consumer({ value: serde.string, offsetReset: 'earliest' })
  consumer.assign([p0])
  const seen: (string | null)[] = []
  for await (const { value } of consumer) {
    seen.push(value)
    if (value === 'a') {
      consumer.pause([p0])
      consumer.assign([p0, p1])
    }
    if (value === 'y') {
      assert.deepEqual(consumer.paused(), [p0])
      assert.equal(await consumer.position(p0), 1n)
      consumer.resume([p0])
    }
    if (value === 'c') break
  }
  assert.deepEqual(seen, ['a', 'x', 'y', 'b', 'c'])
})

test('seeking goes to offsets, ends and times, and drops what was in the loop', async (context) => {
  const { kafka, admin, append } = await consuming(context)
  await admin.createTopics([{ name: 'orders' }])
  for (let index = 0; index < 5; index++) await append(p0, [`${index}`], { timestamp: 1000n * BigInt(index) })
  await using consumer = kafka.consumer({ value: serde.string, offsetReset: 'earliest' })
  consumer.assign([p0])
  const seen: string[] = []
  for await (const { value } of consumer) {
    seen.push(value!)
    if (seen.length === 1) await consumer.seek(3n)
    if (seen.length === 3) await consumer.seek('beginning', [p0])
    if (seen.length === 5) await consumer.seek({ timestamp: 1500 })
    if (seen.length === 6) {
      await consumer.seek('end')
      assert.equal(await consumer.position(p0), 5n)
      await append(p0, ['5'])
    }
    if (value === '5') break
  }
  assert.deepEqual(seen, ['0', '3', '4', '0', '1', '2', '5'])
  await assert.rejects(consumer.seek(1n, [{ topic: 'orders', partition: 7 }]), /is not assigned/)
})

test('offsets are found by time and at the ends', async (context) => {
  const { kafka, admin, append } = await consuming(context)
  await admin.createTopics([{ name: 'orders' }])
  for (let index = 0; index < 5; index++) await append(p0, [`${index}`], { timestamp: 1000n * BigInt(index) })
  await using consumer = kafka.consumer()
  assert.deepEqual(await consumer.beginningOffsets([p0]), [{ ...p0, offset: 0n, leaderEpoch: 0 }])
  assert.deepEqual(await consumer.endOffsets([p0]), [{ ...p0, offset: 5n, leaderEpoch: 0 }])
  assert.deepEqual(
    await consumer.offsetsForTimes([
      { ...p0, timestamp: 2500 },
      { ...p0, timestamp: 4001 },
    ]),
    [{ ...p0, offset: 3n, leaderEpoch: 0 }, null],
  )
})

test('without an offset to begin at and offsetReset none, reading says so, and goes on after a seek', async (context) => {
  const { kafka, admin, append } = await consuming(context)
  await admin.createTopics([{ name: 'orders' }])
  await append(p0, ['0', '1'])
  await using consumer = kafka.consumer({ offsetReset: 'none' })
  consumer.assign([p0])
  await assert.rejects(consumer[Symbol.asyncIterator]().next(), { code: 1, message: /offsetReset is 'none'/ })
  await consumer.seek('beginning')
  for await (const { offset } of consumer) if (offset === 1n) break
  await consumer.seek(100n)
  await assert.rejects(consumer[Symbol.asyncIterator]().next(), { code: 1, message: /offset 100 .*is not in the log/ })
})

test('an offset that is out of range is reset by the policy', async (context) => {
  const { kafka, admin, append } = await consuming(context)
  await admin.createTopics([{ name: 'orders' }])
  await append(p0, ['0', '1'])
  await using consumer = kafka.consumer({ value: serde.string, offsetReset: 'earliest' })
  consumer.assign([p0])
  await consumer.seek(100n)
  for await (const { value } of consumer) {
    assert.equal(value, '0')
    break
  }
})

test('a duration as offsetReset begins with what is that young', async (context) => {
  const { kafka, admin, append } = await consuming(context)
  await admin.createTopics([{ name: 'orders' }])
  await append(p0, ['old'], { timestamp: BigInt(Date.now() - 3_600_000) })
  await append(p0, ['young'], { timestamp: BigInt(Date.now() - 60_000) })
  await using consumer = kafka.consumer({ value: serde.string, offsetReset: { byDurationMs: 600_000 } })
  consumer.assign([p0])
  for await (const { value } of consumer) {
    assert.equal(value, 'young')
    break
  }
})

test('large compressed batches are unpacked, in order', async (context) => {
  const { kafka, admin, append } = await consuming(context)
  await admin.createTopics([{ name: 'orders' }])
  let expected = 0
  for (const compression of [1, 2, 3, 4, 0])
    await append(
      p0,
      Array.from({ length: 2000 }, () => `${expected++} ${'text '.repeat(20)}`),
      { compression },
    )
  await using consumer = kafka.consumer({ value: serde.string, offsetReset: 'earliest' })
  consumer.assign([p0])
  let count = 0
  for await (const { value, offset } of consumer) {
    assert.equal(value!.split(' ')[0], `${count}`)
    assert.equal(offset, BigInt(count))
    if (++count === expected) break
  }
})

test('a value that cannot be decoded throws where it is asked for, naming its place', async (context) => {
  const { kafka, admin, append } = await consuming(context)
  await admin.createTopics([{ name: 'orders' }])
  await append(p0, ['{"a":1}', 'not json', '{"a":3}'])
  await using consumer = kafka.consumer({ value: serde.json<{ a: number }>(), offsetReset: 'earliest' })
  consumer.assign([p0])
  const seen: (number | string | undefined)[] = []
  for await (const record of consumer) {
    try {
      seen.push(record.value?.a)
    } catch (error) {
      seen.push((error as Error).message.split(':')[0])
    }
    if (seen.length === 3) break
  }
  assert.deepEqual(seen, [1, 'the value of orders-0 at offset 1 cannot be deserialized', 3])
})

test('commits of assigned partitions are kept by the group, and read again', async (context) => {
  const { kafka, admin, append } = await consuming(context)
  await admin.createTopics([{ name: 'orders' }])
  await append(p0, ['0', '1', '2', '3'])
  {
    await using consumer = kafka.consumer({ groupId: 'g', offsetReset: 'earliest', enableAutoCommit: false })
    consumer.assign([p0])
    for await (const record of consumer) {
      if (record.offset === 0n) {
        await consumer.commit()
        assert.deepEqual(await consumer.committed([p0]), [{ ...p0, offset: 0n }])
      }
      if (record.offset === 1n) {
        await consumer.commit(record)
        assert.deepEqual(await consumer.committed([p0]), [{ ...p0, offset: 2n, leaderEpoch: 0 }])
        await consumer.commit([{ ...p0, offset: 1n, metadata: 'note' }])
        assert.deepEqual(await consumer.committed([p0]), [{ ...p0, offset: 1n, metadata: 'note' }])
        break
      }
    }
  }
  {
    await using consumer = kafka.consumer({ groupId: 'g' })
    consumer.assign([p0])
    for await (const { offset } of consumer) {
      assert.equal(offset, 1n)
      break
    }
    for await (const { offset } of consumer) {
      assert.equal(offset, 2n)
      break
    }
  }
  await using consumer = kafka.consumer({ groupId: 'g' })
  assert.deepEqual(await consumer.committed([p0]), [{ ...p0, offset: 2n, leaderEpoch: 0 }])
})

test('interceptors see what is read and committed, in order; one that throws is passed over', async (context) => {
  const { kafka, admin, append } = await consuming(context)
  await admin.createTopics([{ name: 'orders' }])
  await append(p0, ['a', 'b', 'c', 'd'])
  const committed: bigint[] = []
  await using consumer = kafka.consumer({
    groupId: 'g',
    value: serde.string,
    offsetReset: 'earliest',
    enableAutoCommit: false,
    interceptors: [
      {
        onConsume() {
          throw new Error('never mind')
        },
      },
      {
        onConsume: (records) => records.filter(({ offset }) => offset !== 1n),
        onCommit: (offsets) => void committed.push(...offsets.map(({ offset }) => offset)),
      },
    ],
  })
  consumer.assign([p0])
  const seen: (string | null)[] = []
  for await (const record of consumer) {
    seen.push(record.value)
    if (record.offset === 3n) {
      await consumer.commit(record)
      break
    }
  }
  assert.deepEqual(seen, ['a', 'c', 'd'])
  assert.deepEqual(committed, [4n])
})

test('what has been handled is committed from time to time, without the record in hand', async (context) => {
  const { kafka, admin, append } = await consuming(context)
  await admin.createTopics([{ name: 'orders' }])
  await append(p0, ['a', 'b', 'c'])
  const committed = Promise.withResolvers<bigint>()
  await using consumer = kafka.consumer({
    groupId: 'g',
    offsetReset: 'earliest',
    autoCommitIntervalMs: 20,
    interceptors: [{ onCommit: ([first]) => void (first!.offset > 0n && committed.resolve(first!.offset)) }],
  })
  consumer.assign([p0])
  for await (const { offset } of consumer) {
    if (offset < 2n) continue
    assert.equal(await committed.promise, 2n)
    break
  }
})

test('lag is known for each partition, and forgotten with it', async (context) => {
  const { kafka, admin, append } = await consuming(context)
  await admin.createTopics([{ name: 'orders', numPartitions: 2 }])
  await append(p0, ['a', 'b', 'c'])
  await using consumer = kafka.consumer({ offsetReset: 'earliest' })
  consumer.assign([p0])
  const lags = () =>
    consumer
      .metrics()
      .filter(({ name }) => name === 'records-lag')
      .map(({ tags, value }) => [tags['topic'], tags['partition'], value])
  assert.equal(consumer.currentLag(p0), null)
  for await (const batch of consumer.batches()) {
    assert.equal(batch.lag, 0n)
    assert.equal(consumer.currentLag(p0), 0n)
    break
  }
  assert.deepEqual(lags(), [['orders', '0', 0]])
  consumer.assign([{ topic: 'orders', partition: 1 }])
  assert.deepEqual(
    lags().map(([topic, partition]) => [topic, partition]),
    [['orders', '1']],
  )
})

test('steps asked for at once are taken one after the other', async (context) => {
  const { kafka, admin, append } = await consuming(context)
  await admin.createTopics([{ name: 'orders' }])
  await append(p0, ['a', 'b', 'c'])
  await using consumer = kafka.consumer({ value: serde.string, offsetReset: 'earliest' })
  consumer.assign([p0])
  const loop = consumer[Symbol.asyncIterator]()
  const steps = await Promise.all([loop.next(), loop.next(), loop.next()])
  assert.deepEqual(
    steps.map(({ value }) => (value as { value: string }).value),
    ['a', 'b', 'c'],
  )
  await loop.return!()
  assert.deepEqual(await loop.next(), { value: undefined, done: true })
})

test('a loop that is left while it waits takes no records with it', async (context) => {
  const { kafka, admin, append } = await consuming(context)
  await admin.createTopics([{ name: 'orders' }])
  await using consumer = kafka.consumer({ value: serde.string, offsetReset: 'earliest' })
  consumer.assign([p0])
  const loop = consumer[Symbol.asyncIterator]()
  const waiting = loop.next()
  await loop.return!()
  await append(p0, ['a'])
  assert.deepEqual(await waiting, { value: undefined, done: true })
  for await (const { value } of consumer) {
    assert.equal(value, 'a')
    break
  }
})

test('wrong use is told at once', async (context) => {
  const { kafka } = await consuming(context)
  await using consumer = kafka.consumer()
  assert.throws(() => consumer.subscribe(['orders']), /subscribe needs a groupId/)
  assert.throws(() => consumer.assign([{ topic: 'orders' } as never]), /assign expects a list/)
  assert.throws(() => consumer.commitAsync(), /commit needs a groupId/)
  assert.throws(() => consumer.pause([p0]), /is not assigned/)
  await assert.rejects(consumer.commit(), /commit needs a groupId/)
  await assert.rejects(consumer.committed([p0]), /committed needs a groupId/)
  await assert.rejects(consumer.seek(-1n), /offset -1 cannot be sought/)
  await assert.rejects(consumer[Symbol.asyncIterator]().next(), /nothing to read/)
  assert.throws(() => kafka.consumer({ topics: ['orders'] }), /topics need a groupId/)
  assert.throws(() => kafka.consumer({ enableAutoCommit: true }), /enableAutoCommit needs a groupId/)
  await using member = kafka.consumer({ groupId: 'g', enableAutoCommit: false })
  for (const wrong of [[], 'orders', { topic: 'orders' }, null, undefined])
    assert.throws(() => member.subscribe(wrong as never), /a list of topics that is not empty/)
  await assert.rejects(member.commit([{ ...p0, offset: 1 as never }]), /bigint offset/)
  await assert.rejects(member.commit([{ ...p0, offset: -1n }]), /offsets begin at 0/)
})

test('a consumer that is told to close in a time that is none is not closed', async (context) => {
  const { kafka, admin } = await consuming(context)
  await admin.createTopics([{ name: 'orders' }])
  await using consumer = kafka.consumer({ offsetReset: 'earliest' })
  for (const timeoutMs of [NaN, -1, '5', null])
    await assert.rejects(consumer.close({ timeoutMs: timeoutMs as number }), RangeError)
  assert.throws(() => consumer.close(null as never), TypeError)
  consumer.assign([p0])
  assert.equal(await consumer.position(p0), 0n)
})

test('what is no place, or does not fit its field, is refused instead of being taken for another', async (context) => {
  const { kafka, admin } = await consuming(context)
  await admin.createTopics([{ name: 'orders' }])
  await using consumer = kafka.consumer({ groupId: 'g', offsetReset: 'earliest' })
  consumer.assign([p0])
  for (const target of [5, '5', 'earliest', null, undefined, {}, { timestamp: 1.5 }, { timestamp: NaN }])
    await assert.rejects(consumer.seek(target as never), TypeError, inspect(target))
  for (const target of [2n ** 63n, -1n, { timestamp: -1 }, { timestamp: -2 }])
    await assert.rejects(consumer.seek(target), RangeError, inspect(target))
  assert.equal(await consumer.position(p0), 0n)

  const place = { ...p0, offset: 1n }
  for (const wrong of [
    { ...place, offset: 2n ** 64n },
    { ...place, partition: 2 ** 32 },
    { ...place, partition: -1 },
    { ...place, leaderEpoch: 1.5 },
    { ...place, metadata: 5 },
    null,
  ])
    await assert.rejects(consumer.commit([wrong as never]), /TypeError|RangeError/, inspect(wrong))
  assert.deepEqual(await consumer.committed([p0]), [null])

  for (const wrong of [null, {}, { topic: 'orders' }, { ...p0, partition: -1 }, { ...p0, partition: 2 ** 32 }]) {
    const partitions = [wrong as never]
    await assert.rejects(consumer.committed(partitions), /committed expects a list/)
    await assert.rejects(consumer.endOffsets(partitions), /endOffsets expects a list/)
    await assert.rejects(consumer.beginningOffsets(partitions), /beginningOffsets expects a list/)
    await assert.rejects(consumer.offsetsForTimes(partitions), /offsetsForTimes expects a list/)
  }
  for (const timestamp of [NaN, 1.5, Infinity, undefined as never])
    await assert.rejects(consumer.offsetsForTimes([{ ...p0, timestamp }]), /a whole number of milliseconds/)
})

test('what the application does to its objects after a commit without waiting changes nothing', async (context) => {
  const { kafka, admin, append } = await consuming(context)
  await admin.createTopics([{ name: 'orders' }])
  await append(p0, ['a', 'b', 'c'])
  await using consumer = kafka.consumer({ groupId: 'g', enableAutoCommit: false })
  const place = { ...p0, offset: 1n }
  consumer.commitAsync([place])
  place.offset = 3n
  await consumer.commit([])
  const [committed] = await consumer.committed([p0])
  assert.equal(committed?.offset, 1n)
})
