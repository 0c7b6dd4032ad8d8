import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimulatedClock, SimulatedTime } from '@millrace/runtime/testing'
import { Metrics } from './metrics.ts'

async function world() {
  const time = new SimulatedTime()
  const metrics = new Metrics(new SimulatedClock(time), { 'client-id': 'c' })
  const value = (name: string) => metrics.all().find((metric) => metric.name === name)?.value
  return { time, metrics, value }
}

test('a meter gives a total, and a rate over the last minute at most', async () => {
  const { time, metrics, value } = await world()
  const sends = metrics.meter({ group: 'producer-metrics', name: 'record-send' })
  sends.record(60)
  assert.equal(value('record-send-rate'), 2, 'the first thirty seconds count as full')
  await time.advance(30_000)
  sends.record(30)
  assert.equal(value('record-send-rate'), 3)
  await time.advance(15_000)
  assert.equal(value('record-send-rate'), 90 / 45)
  await time.advance(60_000)
  assert.equal(value('record-send-rate'), 0)
  assert.equal(value('record-send-total'), 90)
})

test('a distribution gives average and maximum of the last minute, and NaN of nothing', async () => {
  const { time, metrics, value } = await world()
  const sizes = metrics.distribution({ group: 'producer-metrics', name: 'batch-size' })
  assert.ok(Number.isNaN(value('batch-size-avg')))
  assert.ok(Number.isNaN(value('batch-size-max')))
  sizes.record(10)
  sizes.record(30)
  assert.equal(value('batch-size-avg'), 20)
  assert.equal(value('batch-size-max'), 30)
  await time.advance(120_000)
  assert.ok(Number.isNaN(value('batch-size-max')))
})

test('a distribution may be told from below', async () => {
  const { time, metrics, value } = await world()
  const leads = metrics.distributionFromBelow({ group: 'g', name: 'lead' })
  assert.ok(Number.isNaN(value('lead-min')))
  leads.record(30)
  await time.advance(40_000)
  leads.record(50)
  assert.equal(value('lead-min'), 30)
  assert.equal(value('lead-avg'), 40)
  assert.equal(value('lead-max'), undefined)
  await time.advance(30_000)
  assert.equal(value('lead-min'), 50)
})

test('what is waited for is added up, also when it fails', async () => {
  const { time, metrics, value } = await world()
  const wait = metrics.waitTime({ group: 'g', name: 'wait' })
  const { promise, reject } = Promise.withResolvers<never>()
  const measured = assert.rejects(wait.of(promise), /no/)
  await time.advance(3_000)
  reject(new Error('no'))
  await measured
  wait.add(600)
  assert.equal(value('wait-time-ns-total'), 3_600_000_000)
  assert.equal(wait.ratio(3_000), 3.6 / 33)
})

test('metrics of the same definition are one; those of a topic can be forgotten', async () => {
  const { metrics } = await world()
  const definition = { group: 'g', name: 'n', tags: { topic: 't', partition: '0' } }
  metrics.meter(definition).record()
  metrics.meter({ ...definition, tags: { ...definition.tags } }).record()
  metrics.gauge({ group: 'g', name: 'other', tags: { topic: 'u' } }, () => 1)
  assert.equal(metrics.meter(definition).total, 2)
  assert.deepEqual(
    metrics.all().map(({ name, tags }) => [name, tags]),
    [
      ['n-rate', { 'client-id': 'c', topic: 't', partition: '0' }],
      ['n-total', { 'client-id': 'c', topic: 't', partition: '0' }],
      ['other', { 'client-id': 'c', topic: 'u' }],
    ],
  )
  metrics.forget({ topic: 't' })
  assert.deepEqual(
    metrics.all().map(({ name }) => name),
    ['other'],
  )
  assert.equal(metrics.meter(definition).total, 0)
})
