import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimulatedClock, SimulatedTime } from '@millrace/runtime/testing'
import { Metrics } from '../observe/metrics.ts'
import { consuming } from '../consumer/testing/consuming.ts'
import { GroupMetrics } from './group-metrics.ts'

test('rebalances are counted from the first attempt to the last', async () => {
  const time = new SimulatedTime()
  const clock = new SimulatedClock(time)
  const metrics = new Metrics(clock, {})
  const group = new GroupMetrics(metrics, clock)
  const read = (name: string): number => metrics.all().find((metric) => metric.name === name)!.value
  assert.equal(read('last-rebalance-seconds-ago'), -1)
  group.rebalanceEnds()
  assert.equal(read('rebalance-total'), 0)
  group.rebalanceBegins()
  await time.advance(100)
  group.rebalanceFails()
  group.rebalanceBegins()
  await time.advance(200)
  group.rebalanceEnds()
  await time.advance(5000)
  assert.equal(read('rebalance-total'), 1)
  assert.equal(read('failed-rebalance-total'), 1)
  assert.equal(read('rebalance-latency-total'), 300)
  assert.equal(read('rebalance-latency-max'), 300)
  assert.equal(read('last-rebalance-seconds-ago'), 5)
})

test('a cluster that asks for metrics is told which of them are running totals', () => {
  const clock = new SimulatedClock(new SimulatedTime())
  const metrics = new Metrics(clock, {})
  new GroupMetrics(metrics, clock)
  const named = metrics.allWithKinds().filter(({ name }) => name.endsWith('-total'))
  assert.deepEqual(
    named.filter(({ kind }) => kind !== 'total').map(({ name }) => name),
    [],
  )
})

for (const groupProtocol of ['classic', 'consumer'] as const) {
  test(`${groupProtocol}: a consumer counts its heartbeats and rebalances`, async (context) => {
    const { kafka, admin, append } = await consuming(context)
    await admin.createTopics([{ name: 'orders', numPartitions: 1 }])
    await append({ topic: 'orders', partition: 0 }, ['a'])
    await using consumer = kafka.consumer({
      groupId: 'g',
      groupProtocol,
      ...(groupProtocol === 'classic' ? { heartbeatIntervalMs: 20 } : {}),
      offsetReset: 'earliest',
      topics: ['orders'],
    })
    for await (const { value } of consumer) if (value !== null) break
    const read = (name: string): number | undefined =>
      consumer.metrics().find((metric) => metric.name === name && metric.group === 'consumer-coordinator-metrics')
        ?.value
    while (!((read('heartbeat-total') ?? 0) > 0)) await new Promise((resolve) => setImmediate(resolve))
    assert.ok(read('heartbeat-response-time-max')! > 0)
    assert.equal(read('last-heartbeat-seconds-ago'), 0)
    assert.equal(read('rebalance-total'), 1)
    assert.equal(read('join-total'), groupProtocol === 'classic' ? 2 : 0)
    assert.equal(read('sync-total'), groupProtocol === 'classic' ? 1 : 0)
  })
}
