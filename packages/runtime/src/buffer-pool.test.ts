import { test } from 'node:test'
import assert from 'node:assert/strict'
import { BufferPool } from './buffer-pool.ts'

test('a buffer has the smallest power of two that fits', () => {
  const pool = new BufferPool({ maxKeptBytes: 1 << 20 })
  for (const [wanted, got] of [
    [0, 1024],
    [1024, 1024],
    [1025, 2048],
    [65_536, 65_536],
    [65_537, 131_072],
  ] as const) {
    assert.equal(pool.acquire(wanted).length, got)
    assert.equal(pool.sizeFor(wanted), got)
  }
})

test('what is larger than the largest of the pool is allocated to size, and not kept', () => {
  const pool = new BufferPool({ maxKeptBytes: 1 << 20, largestBytes: 65_536 })
  assert.equal(pool.acquire(65_536).length, 65_536)
  const large = pool.acquire(65_537)
  assert.equal(large.length, 65_537)
  assert.equal(pool.sizeFor(65_537), 65_537)
  pool.release(large)
  assert.equal(pool.keptBytes, 0)
})

test('a released buffer is used again, the last released first', () => {
  const pool = new BufferPool({ maxKeptBytes: 1 << 20 })
  const [first, second] = [pool.acquire(5000), pool.acquire(5000)]
  pool.release(first)
  pool.release(second)
  assert.equal(pool.keptBytes, 16_384)
  assert.equal(pool.acquire(8192), second)
  assert.equal(pool.acquire(4097), first)
  assert.equal(pool.keptBytes, 0)
})

test('no more than the bound is kept', () => {
  const pool = new BufferPool({ maxKeptBytes: 3000 })
  const buffers = [pool.acquire(1024), pool.acquire(1024), pool.acquire(1024)]
  for (const buffer of buffers) pool.release(buffer)
  assert.equal(pool.keptBytes, 2048)
})

test('above the bound the buffers that lie unused longest make room for another size', () => {
  const pool = new BufferPool({ maxKeptBytes: 8192 })
  const small = Array.from({ length: 8 }, () => pool.acquire(1024))
  for (const buffer of small) pool.release(buffer)
  const large = pool.acquire(4096)
  pool.release(large)
  assert.equal(pool.keptBytes, 8192)
  assert.equal(pool.acquire(4096), large)
  assert.deepEqual(
    Array.from({ length: 4 }, () => small.indexOf(pool.acquire(1024))),
    [7, 6, 5, 4],
  )
  assert.equal(pool.keptBytes, 0)
})

test('a buffer above the bound is not kept, and displaces none', () => {
  const pool = new BufferPool({ maxKeptBytes: 3000 })
  const small = pool.acquire(1024)
  pool.release(small)
  pool.release(pool.acquire(4096))
  assert.equal(pool.acquire(1024), small)
})

test('releasing twice, or a view, is caught', () => {
  const pool = new BufferPool({ maxKeptBytes: 1 << 20 })
  const buffer = pool.acquire(2000)
  assert.throws(() => pool.release(buffer.subarray(0, 2000)), /not from the pool/)
  pool.release(buffer)
  assert.throws(() => pool.release(buffer), /released twice/)
})

test('trim lets go of what was not needed since the last trim', () => {
  const pool = new BufferPool({ maxKeptBytes: 1 << 20 })
  const buffers = Array.from({ length: 4 }, () => pool.acquire(1024))
  for (const buffer of buffers) pool.release(buffer)
  pool.trim()
  assert.equal(pool.keptBytes, 4096)
  pool.release(pool.acquire(1024))
  pool.trim()
  assert.equal(pool.keptBytes, 1024)
})
