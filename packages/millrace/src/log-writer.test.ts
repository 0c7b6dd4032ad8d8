import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LogWriter, type LogFormat, type LogLevel } from './log-writer.ts'

function writer(format: LogFormat, level: LogLevel = 'info'): { logger: LogWriter; lines: string[] } {
  const lines: string[] = []
  const now = (): Date => new Date('2026-01-02T03:04:05.678Z')
  return { logger: new LogWriter({ level, format, write: (line) => lines.push(line), now }), lines }
}

test('text lines are for people: time, level, message, values', () => {
  const { logger, lines } = writer('text')
  logger.child({ broker: 1 }).warn('something  happened', { topic: 'a b', offset: 12n, list: [1, 2] })
  assert.deepEqual(lines, [
    "03:04:05.678 warn  something  happened  broker=1  topic='a b'  offset=12n  list=[ 1, 2 ]\n",
  ])
})

test('an error is told with its stack on lines of its own', () => {
  const { logger, lines } = writer('text')
  logger.error('it broke', { error: new Error('no', { cause: new Error('because') }) })
  assert.match(lines[0]!, /^03:04:05.678 error it broke\n {4}Error: no\n {8}at .*\n[^]*because/)
})

test('JSON lines hold everything, one object each', () => {
  const { logger, lines } = writer('json')
  logger.error('it\nbroke', { offset: 12n, error: Object.assign(new Error('no'), { code: 'EIO' }) })
  assert.equal(lines[0]!.indexOf('\n'), lines[0]!.length - 1)
  const { error, ...others } = JSON.parse(lines[0]!) as { error: Record<string, unknown> }
  assert.deepEqual(others, { time: '2026-01-02T03:04:05.678Z', level: 'error', message: 'it\nbroke', offset: '12' })
  assert.deepEqual([error['name'], error['message'], error['code']], ['Error', 'no', 'EIO'])
})

test('lines below the level are dropped', () => {
  const { logger, lines } = writer('text', 'warn')
  logger.debug('a')
  logger.info('b')
  logger.warn('c')
  logger.error('d')
  assert.equal(lines.length, 2)
})

test('what clients call themselves neither begins a line nor commands the terminal, and is cut when it is long', () => {
  const { logger, lines } = writer('text')
  logger.info('group a\nb\u001b[2J', { group: 'x\u001b[31m', member: 'm\u009b2J', client: 'c'.repeat(30_000) })
  assert.equal(lines.length, 1)
  assert.doesNotMatch(lines[0]!.slice(0, -1), /\p{Cc}/u)
  assert.match(lines[0]!, /group a\\nb\\x1B\[2J {2}group='x\\x1B\[31m'/)
  assert.ok(lines[0]!.length < 1500)
  logger.warn('it broke', { error: new Error('of group \u001b[2J') })
  assert.doesNotMatch(lines[1]!.replaceAll('\n', ''), /\p{Cc}/u)
})
