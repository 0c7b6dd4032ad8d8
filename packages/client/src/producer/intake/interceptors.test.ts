import assert from 'node:assert/strict'
import { test } from 'node:test'
import { silentLogger } from '@millrace/runtime'
import { Kafka } from '../../kafka.ts'
import type { ProducerInterceptor } from '../interceptor.ts'
import { Interceptors } from './interceptors.ts'
import { ScriptedLeader } from '../testing/scripted-leader.ts'

test('each interceptor is given what the one before made of the record; one that throws or returns nothing leaves it', () => {
  const adding = (letter: string): ProducerInterceptor => ({
    onSend: (record) => ({ ...record, value: `${String(record.value)}${letter}` as typeof record.value }),
  })
  const interceptors = new Interceptors(
    [
      adding('a'),
      { onSend: () => undefined as never },
      {
        onSend: () => {
          throw new Error('broken')
        },
      },
      {},
      adding('b'),
    ],
    silentLogger,
  )
  assert.deepEqual(interceptors.sending({ topic: 't', value: '-' }), { topic: 't', value: '-ab' })
})

test('what is no record is refused, and told to interceptors', async () => {
  await using leader = await ScriptedLeader.start()
  const told: [string, bigint, Error | null][] = []
  const interceptor: ProducerInterceptor = {
    onAcknowledgement: ({ topic, offset }, error) => void told.push([topic, offset, error]),
  }
  const kafka = new Kafka({ brokers: leader.address, enableMetricsPush: false })
  await using producer = kafka.producer({ topic: 't', lingerMs: 0, interceptors: [interceptor] })
  const nothing = null as unknown as { topic: string; value: string }
  const [refused] = await Promise.allSettled([producer.send(nothing)])
  assert.equal(refused.status, 'rejected')
  await assert.rejects(producer.sendAll([nothing, { topic: 't', value: 'v' }]), TypeError)
  assert.deepEqual(
    told.map(([topic, offset, error]) => [topic, offset, error instanceof TypeError]),
    [
      ['t', -1n, true],
      ['t', -1n, true],
      ['t', 0n, false],
    ],
  )
})
