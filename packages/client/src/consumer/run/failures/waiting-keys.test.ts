import assert from 'node:assert/strict'
import { test } from 'node:test'
import { silentLogger } from '@millrace/runtime'
import { SimulatedClock, SimulatedTime } from '@millrace/runtime/testing'
import type { RecordMetadata } from '../../../record.ts'
import type { FailureSink } from './failure-sink.ts'
import { textRecord, type TextRecord } from '../testing/memory-source.ts'
import { WaitingKeys } from './waiting-keys.ts'

function world({ writeMs = 0 }: { writeMs?: number } = {}) {
  const time = new SimulatedTime()
  const clock = new SimulatedClock(time)
  let committed = 0n
  let written = 0n
  const sink = {
    send: async (): Promise<RecordMetadata> => {
      await clock.sleep(writeMs)
      return { topic: 'again', partition: 0, offset: written++, timestamp: 0 }
    },
  } as unknown as FailureSink
  const keys = new WaitingKeys({
    topic: 'again',
    groupId: 'g',
    sink,
    clock,
    logger: silentLogger,
    committed: async (partitions) => partitions.map((partition) => ({ ...partition, offset: committed })),
  })
  return { time, keys, commit: (offset: bigint) => void (committed = offset) }
}

const record = (key: string | null): TextRecord => textRecord({ topic: 't', partition: 0, offset: 0, key })

test('a key waits from the moment its record is sent until that is committed, others never', async () => {
  const { time, keys, commit } = world({ writeMs: 10 })
  const sent = keys.follow(record('a'))
  assert.ok(keys.has(record('a')))
  assert.ok(!keys.has(record('b')) && !keys.has(record(null)))
  await time.run(sent)
  await time.advance(5_000)
  assert.ok(keys.has(record('a')))
  commit(1n)
  await time.advance(1_100)
  assert.ok(!keys.has(record('a')))
  keys[Symbol.dispose]()
})

test('a key goes on waiting while a record of it is on its way, though those before are committed', async () => {
  const { time, keys, commit } = world({ writeMs: 3_000 })
  await time.run(keys.follow(record('a')))
  const second = keys.follow(record('a'))
  commit(1n)
  await time.advance(2_000)
  assert.ok(keys.has(record('a')))
  await time.run(second)
  await time.advance(1_100)
  assert.ok(keys.has(record('a')), 'the second is not committed')
  commit(2n)
  await time.advance(1_100)
  assert.ok(!keys.has(record('a')))
  keys[Symbol.dispose]()
})

test('what was learned waits like what was sent', async () => {
  const { time, keys, commit } = world()
  keys.learn(Buffer.from('a'), 0, 7n)
  assert.ok(keys.has(record('a')))
  commit(7n)
  await time.advance(1_100)
  assert.ok(keys.has(record('a')))
  commit(8n)
  await time.advance(1_100)
  assert.ok(!keys.has(record('a')))
  keys[Symbol.dispose]()
})

test('when there is no room for more keys every one waits, until all that was sent is committed', async () => {
  const { time, keys, commit } = world()
  // Hashes may meet, so a few more than there is room for.
  for (let key = 0; key < 100_100; key++) keys.learn(Buffer.from(String(key)), 0, BigInt(key))
  assert.ok(keys.has(record('never seen')))
  commit(100_000n)
  await time.advance(1_100)
  assert.ok(keys.has(record('never seen')))
  commit(100_100n)
  await time.advance(1_100)
  assert.ok(!keys.has(record('never seen')) && !keys.has(record('0')))
  keys[Symbol.dispose]()
})
