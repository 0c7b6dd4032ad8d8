import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ErrorCode, KafkaError, Produce } from '@millrace/protocol'
import { SimulatedClock, SimulatedTime } from '@millrace/runtime/testing'
import { Metrics } from './metrics.ts'
import { Traffic, type Place } from './traffic.ts'

test('requests are counted for the client, and for each broker as soon as its number is known', () => {
  const metrics = new Metrics(new SimulatedClock(new SimulatedTime()), { 'client-id': 'c' })
  const traffic = new Traffic({ metrics, group: 'producer-metrics', clientId: 'c', authenticates: true })
  const answered = { api: Produce, version: 9, correlationId: 1, durationMs: 7, answerBytes: 50, error: null }
  const place: { address: Place['address'] } = { address: { host: 'a', port: 1 } }
  const one = traffic.observer(place)
  one.requestSent(Produce, 100)
  one.requestEnded(answered)
  place.address = { id: 3, host: 'a', port: 1 }
  one.requestSent(Produce, 300)
  one.requestEnded({ ...answered, durationMs: 9 })
  const other = traffic.observer({ address: { id: 4, host: 'b', port: 1 } })
  other.requestSent(Produce, 10)
  other.requestEnded({ ...answered, error: new Error('gone') })

  const read = (group: string, name: string, node: string | undefined): number | undefined =>
    metrics.all().find((one) => one.group === group && one.name === name && one.tags['node-id'] === node)?.value
  assert.equal(read('producer-metrics', 'request-total', undefined), 3)
  const nodes = ['node--1', 'node-3', 'node-4'].map((node) =>
    ['request-total', 'response-total', 'outgoing-byte-total', 'incoming-byte-total'].map((name) =>
      read('producer-node-metrics', name, node),
    ),
  )
  assert.deepEqual(nodes, [
    [1, 1, 100, 50],
    [1, 1, 300, 50],
    [1, 0, 10, 0],
  ])
  assert.equal(read('producer-node-metrics', 'request-size-max', 'node-3'), 300)
  assert.equal(read('producer-node-metrics', 'request-latency-avg', 'node-3'), 9)
  assert.ok(Number.isNaN(read('producer-node-metrics', 'request-latency-avg', 'node-4')))
})

test('connections that are refused for good count as failed authentications', () => {
  const metrics = new Metrics(new SimulatedClock(new SimulatedTime()), {})
  const traffic = new Traffic({ metrics, group: 'producer-metrics', clientId: null, authenticates: true })
  const read = (name: string): number | undefined => metrics.all().find((one) => one.name === name)?.value
  const broker = { host: 'a', port: 1 }
  traffic.failed(broker, new KafkaError(ErrorCode.NETWORK_EXCEPTION))
  traffic.failed(broker, new KafkaError(ErrorCode.UNSUPPORTED_VERSION))
  assert.equal(read('failed-authentication-total'), 0)
  traffic.failed(broker, new KafkaError(ErrorCode.SASL_AUTHENTICATION_FAILED))
  traffic.opened(broker)
  assert.equal(read('failed-authentication-total'), 1)
  assert.equal(read('successful-authentication-total'), 1)
  assert.equal(read('connection-creation-total'), 1)
})
