import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TopicPartition } from '../record.ts'
import { serde } from '../serde/serdes.ts'
import type { Consumer } from './consumer.ts'
import { consuming } from './testing/consuming.ts'
import { Notes } from './testing/notes.ts'

const partition = (number: number): TopicPartition => ({ topic: 'orders', partition: number })
const names = (partitions: readonly TopicPartition[]) =>
  partitions.map(({ partition: number }) => `${number}`).toSorted()

/** Members of the consumer protocol hear of changes when they next ask, which is every five seconds by default. */
const configs = { 'group.consumer.min.heartbeat.interval.ms': 50, 'group.consumer.heartbeat.interval.ms': 50 }

for (const groupProtocol of ['classic', 'consumer'] as const) {
  test(`${groupProtocol}: a group reads everything once, and goes on where it committed`, async (context) => {
    const { kafka, admin, append } = await consuming(context, { configs })
    await admin.createTopics([{ name: 'orders', numPartitions: 3 }])
    for (let number = 0; number < 3; number++) await append(partition(number), [`${number}a`, `${number}b`])
    const options = {
      groupId: 'g',
      groupProtocol,
      value: serde.string,
      offsetReset: 'earliest',
      topics: ['orders'],
    } as const
    const first: string[] = []
    {
      await using consumer = kafka.consumer(options)
      for await (const { value } of consumer) {
        first.push(value!)
        if (first.length === 6) {
          assert.deepEqual(consumer.subscription(), ['orders'])
          assert.deepEqual(names(consumer.assignment()), ['0', '1', '2'])
          assert.notEqual(consumer.groupMetadata().memberId, '')
          break
        }
      }
    }
    assert.deepEqual(first.toSorted(), ['0a', '0b', '1a', '1b', '2a', '2b'])
    // Whoever left the loop with a record in hand did not say that it was done.
    const last = first.at(-1)!
    for (let number = 0; number < 3; number++) await append(partition(number), [`${number}c`])
    const second: string[] = []
    {
      await using consumer = kafka.consumer(options)
      for await (const { value } of consumer) {
        second.push(value!)
        if (second.length === 4) break
      }
    }
    assert.deepEqual(second.toSorted(), ['0c', '1c', '2c', last].toSorted())
  })

  test(`${groupProtocol}: commits without waiting are stored before the group is left`, async (context) => {
    const { kafka, admin, append } = await consuming(context, { configs })
    await admin.createTopics([{ name: 'orders', numPartitions: 1 }])
    await append(partition(0), ['a', 'b', 'c', 'd'])
    const options = { groupId: 'g', groupProtocol, topics: ['orders'], offsetReset: 'earliest' } as const
    const errors: Error[] = []
    {
      await using consumer = kafka.consumer({
        ...options,
        enableAutoCommit: false,
        onError: (error) => void errors.push(error),
      })
      for await (const record of consumer) {
        consumer.commitAsync(record)
        if (record.offset === 2n) break
      }
    }
    assert.deepEqual(errors, [])
    await using next = kafka.consumer(options)
    assert.deepEqual(
      (await next.committed([partition(0)])).map((committed) => committed?.offset),
      [3n],
    )
  })

  test(`${groupProtocol}: a static member that is closed keeps its place`, async (context) => {
    const { kafka, admin, append } = await consuming(context, { configs })
    await admin.createTopics([{ name: 'orders', numPartitions: 1 }])
    await append(partition(0), ['a'])
    const options = { groupId: 'g', groupProtocol, topics: ['orders'], offsetReset: 'earliest' } as const
    for (const [name, membersLeft] of [
      [null, 0],
      ['static', 1],
    ] as const) {
      {
        await using consumer = kafka.consumer({ ...options, groupInstanceId: name })
        for await (const { offset } of consumer) if (offset === 0n) break
      }
      const [group] = await admin.describeConsumerGroups(['g'])
      assert.equal(group.members.length, membersLeft)
    }
  })

  test(`${groupProtocol}: partitions move to a member that joins, with nothing lost and nothing read twice`, async (context) => {
    const { kafka, admin, append } = await consuming(context, { configs })
    await admin.createTopics([{ name: 'orders', numPartitions: 4 }])
    const notes = new Notes()
    const consumers: Consumer<Uint8Array, string>[] = []
    const begin = (name: string): Promise<void> => {
      const consumer = kafka.consumer({
        groupId: 'g',
        groupProtocol,
        value: serde.string,
        offsetReset: 'earliest',
        heartbeatIntervalMs: groupProtocol === 'classic' ? 50 : 3000,
        topics: ['orders'],
        onRebalance: {
          onAssigned: (partitions) => notes.add(`${name}+${names(partitions).join('')}`),
          onRevoked: (partitions) => notes.add(`${name}-${names(partitions).join('')}`),
        },
      })
      consumers.push(consumer)
      return (async () => {
        for await (const record of consumer) notes.add(`${name}:${record.value}`)
      })()
    }
    const values = (all: readonly string[]) =>
      all.filter((note) => note.includes(':')).map((note) => note.split(':')[1]!)
    const owned = (all: readonly string[], name: string): number => {
      let count = 0
      for (const note of all)
        if (note.startsWith(`${name}+`)) count += note.length - name.length - 1
        else if (note.startsWith(`${name}-`)) count -= note.length - name.length - 1
      return count
    }
    const one = begin('one')
    for (let number = 0; number < 4; number++) await append(partition(number), [`${number}a`])
    await notes.until((all) => values(all).length === 4)
    const two = begin('two')
    await notes.until((all) => owned(all, 'one') === 2 && owned(all, 'two') === 2)
    for (let number = 0; number < 4; number++) await append(partition(number), [`${number}b`])
    await notes.until((all) => values(all).length === 8)
    await consumers[0]!.close()
    await notes.until((all) => owned(all, 'two') === 4)
    for (let number = 0; number < 4; number++) await append(partition(number), [`${number}c`])
    await notes.until((all) => values(all).length === 12)
    await consumers[1]!.close()
    await Promise.all([one, two])
    const expected = ['a', 'b', 'c'].flatMap((letter) => ['0', '1', '2', '3'].map((number) => number + letter))
    assert.deepEqual(new Set(values(notes.all)), new Set(expected))
    assert.equal(values(notes.all).length, 12)
    assert.equal(notes.all[0], 'one+0123')
  })
}

test('a pattern subscribes to topics that match, also those that come later', async (context) => {
  const { kafka, admin, append } = await consuming(context, { configs })
  await admin.createTopics([{ name: 'orders' }, { name: 'other' }])
  await append(partition(0), ['a'])
  await using consumer = kafka.consumer({
    groupId: 'g',
    groupProtocol: 'classic',
    value: serde.string,
    offsetReset: 'earliest',
    metadataMaxAgeMs: 200,
  })
  consumer.subscribe(/^ord/)
  const seen: string[] = []
  for await (const { value } of consumer) {
    seen.push(value!)
    if (seen.length === 1) {
      await admin.createTopics([{ name: 'ordinary' }])
      await append({ topic: 'ordinary', partition: 0 }, ['b'])
    } else break
  }
  assert.deepEqual(seen, ['a', 'b'])
})

test('unsubscribing commits, tells the listener and leaves; another subscription may follow', async (context) => {
  const { kafka, admin, append } = await consuming(context, { configs })
  await admin.createTopics([{ name: 'orders' }, { name: 'other' }])
  await append(partition(0), ['a', 'b'])
  await append({ topic: 'other', partition: 0 }, ['x'])
  const told: string[] = []
  await using consumer = kafka.consumer({ groupId: 'g', value: serde.string, offsetReset: 'earliest' })
  consumer.subscribe(['orders'], {
    onAssigned: (partitions) => void told.push(`+${partitions.length}`),
    onRevoked: (partitions) => void told.push(`-${partitions.length}`),
  })
  for await (const { value } of consumer) if (value === 'b') break
  assert.throws(() => consumer.assign([partition(0)]), /has subscribed to topics/)
  await consumer.unsubscribe()
  assert.deepEqual(told, ['+1', '-1'])
  assert.deepEqual(consumer.assignment(), [])
  assert.deepEqual(consumer.subscription(), [])
  assert.equal((await consumer.committed([partition(0)]))[0]?.offset, 1n)
  await assert.rejects(consumer[Symbol.asyncIterator]().next(), /nothing to read/)
  consumer.subscribe(['other'])
  for await (const { value } of consumer) {
    assert.equal(value, 'x')
    break
  }
})

test('a listener that throws ends the consumer with what it threw', async (context) => {
  const { kafka, admin } = await consuming(context, { configs })
  await admin.createTopics([{ name: 'orders' }])
  await using consumer = kafka.consumer({
    groupId: 'g',
    topics: ['orders'],
    onRebalance: {
      onAssigned() {
        throw new Error('no room')
      },
    },
  })
  await assert.rejects(consumer[Symbol.asyncIterator]().next(), /no room/)
  await assert.rejects(consumer[Symbol.asyncIterator]().next(), /no room/)
})

test('a listener that throws null ends the consumer too', async (context) => {
  const { kafka, admin, append } = await consuming(context, { configs })
  await admin.createTopics([{ name: 'orders' }])
  await append({ topic: 'orders', partition: 0 }, ['a'])
  await using consumer = kafka.consumer({
    groupId: 'g',
    topics: ['orders'],
    offsetReset: 'earliest',
    onRebalance: {
      onAssigned: () => Promise.reject(null as never),
    },
  })
  const [step] = await Promise.allSettled([consumer[Symbol.asyncIterator]().next()])
  assert.deepEqual(step, { status: 'rejected', reason: null })
})

test('seeking within onAssigned decides where reading begins', async (context) => {
  const { kafka, admin, append } = await consuming(context, { configs })
  await admin.createTopics([{ name: 'orders' }])
  await append(partition(0), ['a', 'b', 'c'])
  const consumer: Consumer<Uint8Array, string> = kafka.consumer({ groupId: 'g', value: serde.string })
  await using _closing = consumer
  consumer.subscribe(['orders'], { onAssigned: (partitions) => consumer.seek(1n, partitions) })
  for await (const { value } of consumer) {
    assert.equal(value, 'b')
    break
  }
})

test('closing does not wait for a loop that was left before the group took the partitions away', async (context) => {
  const { kafka, admin, append } = await consuming(context)
  await admin.createTopics([{ name: 'orders', numPartitions: 1 }])
  await append(partition(0), ['a', 'b'])
  const consumer = kafka.consumer({
    groupId: 'g',
    groupProtocol: 'classic',
    heartbeatIntervalMs: 20,
    offsetReset: 'earliest',
    topics: ['orders'],
  })
  for await (const record of consumer) if (record.value !== null) break
  await admin.removeGroupMembers('g', [{ memberId: consumer.groupMetadata().memberId }])
  // The heart hears that the member is not known, and what it had is waited for until the application asks again: never.
  while (consumer.groupMetadata().memberId !== '') await new Promise((resolve) => setImmediate(resolve))
  const begun = performance.now()
  await consumer.close({ timeoutMs: 20_000 })
  assert.ok(performance.now() - begun < 10_000)
})

test('the position is known in onAssigned, and partitions may be paused there', async (context) => {
  const { kafka, admin, append } = await consuming(context, { configs })
  await admin.createTopics([{ name: 'orders', numPartitions: 2 }])
  await append(partition(0), ['a', 'b'])
  await append(partition(1), ['x'])
  const positions: bigint[] = []
  const consumer: Consumer<Uint8Array, string> = kafka.consumer({
    groupId: 'g',
    value: serde.string,
    offsetReset: 'earliest',
    topics: ['orders'],
    onRebalance: {
      async onAssigned() {
        positions.push(await consumer.position(partition(0)))
        consumer.pause([partition(0)])
      },
    },
  })
  await using _closing = consumer
  for await (const { value } of consumer) {
    assert.equal(value, 'x')
    break
  }
  assert.deepEqual(positions, [0n])
})

test('closing does not wait for a broker that is gone', async (context) => {
  const { kafka, admin, broker, append } = await consuming(context, { configs })
  await admin.createTopics([{ name: 'orders' }])
  await append(partition(0), ['a'])
  const consumer = kafka.consumer({ groupId: 'g', topics: ['orders'], offsetReset: 'earliest' })
  for await (const _ of consumer) break
  await admin.close()
  await broker.close()
  const startMs = performance.now()
  await consumer.close({ timeoutMs: 300 })
  assert.ok(performance.now() - startMs < 25_000, 'the time-out counts, not the default one')
})
