import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseRecords } from './kcat.ts'

test('records with null, empty and binary parts are told apart by their lengths', () => {
  const output = Buffer.from('7 100 -1 0 a=1,b=NULL\n~~\n8 101 3 2 k y\n\x00\n~~\n', 'latin1')
  assert.deepEqual(parseRecords(output), [
    {
      offset: 7,
      timestamp: 100,
      key: null,
      value: Buffer.alloc(0),
      headers: [
        { name: 'a', value: Buffer.from('1') },
        { name: 'b', value: null },
      ],
    },
    { offset: 8, timestamp: 101, key: Buffer.from('k y'), value: Buffer.from('\n\x00'), headers: [] },
  ])
})
