import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { startBroker } from 'millrace'

test('a process ends by itself when its clients are closed, and nothing is open then', async () => {
  await using broker = await startBroker({ configs: { 'group.initial.rebalance.delay.ms': 0 } })
  const program = join(import.meta.dirname, 'one-of-everything.ts')
  const args = ['--conditions=source', program, broker.bootstrapServers]
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args, { timeout: 100_000 })
  assert.equal(stderr, '')
  assert.deepEqual(JSON.parse(stdout), [])
})
