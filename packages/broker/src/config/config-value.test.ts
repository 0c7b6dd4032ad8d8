import assert from 'node:assert/strict'
import { test } from 'node:test'
import { atLeast, between, eachOf, gzipLevel, offsetResetStrategy, oneOf, throttledReplicas } from './config-checks.ts'
import { boolean, doubleText, double, int, list, long, short, string } from './config-definition.ts'
import { parseConfig } from './config-value.ts'

const common = { importance: 'high', doc: '' } as const

test('values are read by Kafka’s rules and shown as Java would', () => {
  const cases: [Parameters<typeof parseConfig>[1], string, unknown, string][] = [
    [boolean({ default: true, ...common }), ' FALSE ', false, 'false'],
    [int({ default: 1, ...common }), ' +07 ', 7, '7'],
    [int({ default: 1, ...common }), '-2147483648', -2147483648, '-2147483648'],
    [short({ default: 1, ...common }), '32767', 32767, '32767'],
    [long({ default: 1, ...common }), '9223372036854775807', Number.MAX_SAFE_INTEGER, '9223372036854775807'],
    [long({ default: 1, ...common }), '-9223372036854775808', Number.MIN_SAFE_INTEGER, '-9223372036854775808'],
    [double({ default: 1, ...common }), '1e10', 1e10, '1.0E10'],
    [double({ default: 1, ...common }), '.5', 0.5, '0.5'],
    [double({ default: 1, ...common }), '3', 3, '3.0'],
    [list({ default: [], ...common }), ' a , b,c ', ['a', 'b', 'c'], 'a,b,c'],
    [list({ default: [], ...common }), '  ', [], ''],
    [string({ default: '', ...common }), ' x y ', 'x y', 'x y'],
  ]
  for (const [definition, text, value, shown] of cases) {
    const parsed = parseConfig('n', definition, text)
    assert.deepEqual([parsed.value, parsed.text, parsed.problem], [value, shown, null], text)
  }
})

test('what is not of the type is refused in Kafka’s words', () => {
  const problem = (definition: Parameters<typeof parseConfig>[1], text: string): string | null =>
    parseConfig('some.name', definition, text).problem
  const anInt = int({ default: 1, ...common })
  assert.equal(problem(anInt, 'x'), 'Invalid value x for configuration some.name: Not a number of type INT')
  for (const text of ['', '1.5', '2147483648', '-2147483649', '0x10', '1_000', '1e3'])
    assert.match(problem(anInt, text)!, /Not a number of type INT/)
  assert.match(problem(short({ default: 1, ...common }), '32768')!, /type SHORT/)
  assert.match(problem(long({ default: 1, ...common }), '9223372036854775808')!, /type LONG/)
  assert.match(problem(double({ default: 1, ...common }), 'one')!, /type DOUBLE/)
  assert.match(problem(boolean({ default: true, ...common }), 'yes')!, /Expected value to be either true or false/)
})

test('checks say what they expect', () => {
  assert.equal(atLeast(1)(0, 'n'), 'Value must be at least 1')
  assert.equal(between(0, 1)(1.1, 'n'), 'Value must be no more than 1')
  assert.equal(between(0, 1)(1, 'n'), null)
  assert.equal(oneOf('a', 'b')('c', 'n'), 'String must be one of: a, b')
  assert.equal(eachOf('compact', 'delete')(['delete', 'x'], 'n'), 'String must be one of: compact, delete')
  assert.equal(eachOf('compact', 'delete')([], 'n'), null)
  assert.deepEqual(
    [-2, -1, 0, 1, 9, 10].map((level) => gzipLevel(level, 'n') === null),
    [false, true, false, true, true, false],
  )
  assert.equal(throttledReplicas(['*'], 'n'), null)
  assert.equal(throttledReplicas(['0:1', ' 2:3'], 'n'), null)
  assert.match(throttledReplicas(['0:1', 'x'], 'n')!, /must be the literal/)
  for (const good of ['earliest', 'latest', 'by_duration:P1D', 'by_duration:PT0.5S', 'by_duration:P1DT2H3M4S'])
    assert.equal(offsetResetStrategy(good, 'n'), null, good)
  for (const bad of ['Earliest', 'none', 'by_duration:', 'by_duration:P', 'by_duration:PT', 'by_duration:-PT1S'])
    assert.notEqual(offsetResetStrategy(bad, 'n'), null, bad)
})

test('duplicates in a checked list are dropped', () => {
  const policy = list({ default: ['delete'], check: eachOf('compact', 'delete'), ...common })
  assert.deepEqual(parseConfig('n', policy, 'delete,compact,delete').value, ['delete', 'compact'])
})

test('doubles look as Java prints them', () => {
  const shown = [0, 0.5, 1, 100, 1e7, 12345678.5, 0.001, 0.0001, -2, Number.MAX_VALUE].map(doubleText)
  assert.deepEqual(shown, [
    '0.0',
    '0.5',
    '1.0',
    '100.0',
    '1.0E7',
    '1.23456785E7',
    '0.001',
    '1.0E-4',
    '-2.0',
    '1.7976931348623157E308',
  ])
})
