import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { startBroker } from './start-broker.ts'
import { brokerConfig, countApis } from './testing/probe.ts'

test('a broker serves on a free port until it is closed', async () => {
  const broker = await startBroker()
  assert.equal(broker.bootstrapServers, `127.0.0.1:${broker.port}`)
  assert.deepEqual(broker.address, { host: '127.0.0.1', port: broker.port })
  assert.ok((await countApis(broker.port)) > 10)
  await broker.close()
  await assert.rejects(countApis(broker.port), { code: 'ECONNREFUSED' })
  await broker.close()
})

test('two brokers in one process are two clusters', async () => {
  await using one = await startBroker()
  await using other = await startBroker({ configs: { 'node.id': 7 } })
  assert.notEqual(one.port, other.port)
  assert.notEqual(one.clusterId, other.clusterId)
  assert.deepEqual([one.nodeId, other.nodeId], [1, 7])
  await one.close()
  assert.ok((await countApis(other.port)) > 10)
})

test('temporary data is gone after the end', async () => {
  const isOurs = (name: string): boolean => name.startsWith('millrace-')
  const before = new Set(readdirSync(tmpdir()).filter(isOurs))
  const broker = await startBroker({ data: 'temporary' })
  const made = readdirSync(tmpdir()).filter(
    (name) => isOurs(name) && !before.has(name) && existsSync(join(tmpdir(), name, 'meta.properties')),
  )
  assert.ok(made.length > 0)
  await broker.close()
  assert.ok(made.some((name) => !existsSync(join(tmpdir(), name))))
})

test('data in a directory is the same cluster again, and nobody else may use it meanwhile', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-test-'))
  try {
    const first = await startBroker({ data: { directory } })
    await assert.rejects(startBroker({ data: { directory } }), /the data directory .* is in use by another broker/)
    await first.close()
    await using second = await startBroker({ data: { directory } })
    assert.equal(second.clusterId, first.clusterId)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})

test('what is wrong is told and leaves nothing behind', async () => {
  await assert.rejects(startBroker({ configs: { 'num.partition': 1 } }), /no broker settings named num.partition$/)
  await assert.rejects(
    startBroker({ configs: { 'num.partitions': 'x' } }),
    /Invalid value x for configuration num.partitions/,
  )
  const occupied = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => occupied.once('listening', resolve))
  const { port } = occupied.address() as { port: number }
  await assert.rejects(startBroker({ port, data: 'temporary' }), { code: 'EADDRINUSE' })
  occupied.close()
})

test('a group has its first generation at once, unless a delay is asked for', async () => {
  await using hasty = await startBroker()
  await using patient = await startBroker({ configs: { 'group.initial.rebalance.delay.ms': 1234 } })
  assert.equal(await brokerConfig(hasty.port, 1, 'group.initial.rebalance.delay.ms'), '0')
  assert.equal(await brokerConfig(patient.port, 1, 'group.initial.rebalance.delay.ms'), '1234')
})
