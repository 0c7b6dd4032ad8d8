import { test } from 'node:test'
import assert from 'node:assert/strict'
import { settingsFrom } from '../config/settings.ts'
import { producerConfiguration } from './configuration.ts'
import { producerOptions } from './options.ts'

const configured = (input: Readonly<Record<string, unknown>>) =>
  producerConfiguration(settingsFrom(producerOptions, input, 'producer()'), 'producer()')

test('a producer is idempotent unless something that was set rules it out', () => {
  assert.equal(configured({}).isIdempotent, true)
  assert.equal(configured({ enableIdempotence: false }).isIdempotent, false)
  assert.equal(configured({ acks: 1 }).isIdempotent, false)
  assert.equal(configured({ acks: -1 }).isIdempotent, true)
  assert.equal(configured({ retries: 0 }).isIdempotent, false)
  assert.equal(configured({ maxInFlightRequestsPerConnection: 1 }).isIdempotent, true)
})

test('what was asked for and cannot be is an error', () => {
  assert.throws(
    () => configured({ enableIdempotence: true, acks: 1 }),
    /enableIdempotence needs acks 'all', but it is 1/,
  )
  assert.throws(() => configured({ enableIdempotence: true, retries: 0 }), /enableIdempotence needs retries/)
  assert.throws(() => configured({ maxInFlightRequestsPerConnection: 6 }), /at most 5 for an idempotent producer/)
  assert.throws(() => configured({ transactionalId: 't', acks: 0 }), /transactionalId needs acks 'all'/)
  assert.throws(() => configured({ transactionalId: 't', enableIdempotence: false }), /needs enableIdempotence/)
  assert.equal(configured({ enableIdempotence: false, maxInFlightRequestsPerConnection: 6 }).isIdempotent, false)
})

test('a delivery time-out that is too short is an error, the default gives way', () => {
  assert.throws(
    () => configured({ deliveryTimeoutMs: 10_000, requestTimeoutMs: 10_000, lingerMs: 1 }),
    /deliveryTimeoutMs should be at least lingerMs \+ requestTimeoutMs \(10001\)/,
  )
  assert.equal(configured({ requestTimeoutMs: 200_000, lingerMs: 5 }).deliveryTimeoutMs, 200_005)
  assert.equal(
    configured({ deliveryTimeoutMs: 10_001, requestTimeoutMs: 10_000, lingerMs: 1 }).deliveryTimeoutMs,
    10_001,
  )
})

test('each codec has its own level', () => {
  assert.deepEqual(configured({ compressionType: 'gzip', compressionGzipLevel: 9 }).packing, {
    compression: 1,
    compressionLevel: 9,
  })
  assert.deepEqual(configured({ compressionType: 'zstd' }).packing, { compression: 4, compressionLevel: 3 })
  assert.deepEqual(configured({ compressionType: 'snappy' }).packing, { compression: 2, compressionLevel: undefined })
})

for (const wrong of [
  { compressionType: 'gzip', compressionGzipLevel: 0 },
  { compressionType: 'lz4', compressionLz4Level: 0 },
  { compressionType: 'zstd', compressionZstdLevel: 23 },
  { batchSize: 2 ** 31 },
  { maxRequestSize: 2 ** 31 },
  { transactionTimeoutMs: 2 ** 31 },
])
  test(`${JSON.stringify(wrong)} is refused, as by Kafka`, () => {
    assert.throws(() => configured(wrong as never), TypeError)
  })
