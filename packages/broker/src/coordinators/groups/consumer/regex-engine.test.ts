import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ErrorCode, KafkaError } from '@millrace/protocol'
import { loadRegexEngine } from './regex-engine.ts'
import { expandedSize } from './regex-size.ts'

const engine = await loadRegexEngine()

test('an expression matches whole names', () => {
  const pattern = engine.compile('orders-(eu|us)?[0-9]{2,3}')
  assert.ok(pattern.matches('orders-eu12'))
  assert.ok(pattern.matches('orders-123'))
  for (const topic of ['orders-eu1', 'my-orders-12', 'orders-12-old', '']) assert.ok(!pattern.matches(topic), topic)
})

test('sizes grow with repetitions, also of groups and classes', () => {
  assert.equal(expandedSize('abc'), 3)
  assert.equal(expandedSize('a{1000}'), 1000)
  assert.equal(expandedSize('(ab){10,20}'), 60)
  assert.equal(expandedSize('((ab){10}c){10}'), 320)
  assert.equal(expandedSize('[[:alpha:]\\]x]{5}'), 5)
  assert.equal(expandedSize('[]a]{3}\\p{Greek}{4}\\x{61}{2}'), 9)
  assert.equal(expandedSize('\\{3}'), 3)
  assert.ok(expandedSize('\\Q(a{9}\\Eb') >= 6)
  assert.ok(expandedSize('a{1000}'.repeat(30)) >= 30_000)
})

test('an expression that would be too large is refused before it is compiled', () => {
  for (const regex of ['a{1000}'.repeat(1000), '(a{30}){30}'.repeat(1000), 'a|'.repeat(16_000)])
    assert.throws(
      () => engine.compile(regex),
      (error) => error instanceof KafkaError && error.code === ErrorCode.INVALID_REGULAR_EXPRESSION,
    )
  engine.compile('a{1000}'.repeat(2))
  for (const open of ['[', '\\p{', '\\Q', '{1', '(', '[[:alpha:]']) assert.ok(expandedSize(open.repeat(8000)) > 0)
})

test('an expression is refused when a name would be matched too slowly', () => {
  assert.throws(
    () => engine.compile('(((a?)(b?)(c?))?){1000}'),
    (error) => error instanceof KafkaError && error.code === ErrorCode.INVALID_REGULAR_EXPRESSION,
  )
  const names = Array.from({ length: 100 }, (_, at) => `team-${at}.orders.v${at}`)
  assert.ok(engine.compile(names.join('|')).matches('team-99.orders.v99'))
})
