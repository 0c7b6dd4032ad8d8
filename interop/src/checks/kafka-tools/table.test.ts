import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseTable } from './table.ts'

test('a table is read from its headings to the next empty line, and parentheses belong to the word before', () => {
  const output = [
    '',
    'a warning before the table',
    'GROUP   COORDINATOR (ID)      STATE   #MEMBERS',
    'one     127.0.0.1:9092  (1)   Stable  2',
    'two     127.0.0.1:9092  (1)   Empty   0',
    '',
    'a line after the table',
  ].join('\n')
  assert.deepEqual(parseTable(output, 'GROUP'), [
    { GROUP: 'one', 'COORDINATOR(ID)': '127.0.0.1:9092(1)', STATE: 'Stable', '#MEMBERS': '2' },
    { GROUP: 'two', 'COORDINATOR(ID)': '127.0.0.1:9092(1)', STATE: 'Empty', '#MEMBERS': '0' },
  ])
})

test('tabs part columns too, and output without the headings has no rows', () => {
  assert.deepEqual(parseTable('Topic\tPartition\norders\t3\n', 'Topic'), [{ Topic: 'orders', Partition: '3' }])
  assert.deepEqual(parseTable('no such table\n', 'Topic'), [])
})
