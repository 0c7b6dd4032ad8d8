import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseOverride, parseProperties } from './properties.ts'

function values(text: string): Record<string, string> {
  return Object.fromEntries([...parseProperties(text, 'f')].map(([name, { value }]) => [name, value]))
}

test('keys and values are divided by =, : or white space', () => {
  assert.deepEqual(values('a=1\nb:2\nc 3\nd = 4\n e : 5 \nf\ng==6\nh  =  :7'), {
    a: '1',
    b: '2',
    c: '3',
    d: '4',
    e: '5 ',
    f: '',
    g: '=6',
    h: ':7',
  })
})

test('comments and empty lines are passed over, also after white space', () => {
  assert.deepEqual(values('# a=1\n  ! b=2\n\n \t\nc=#3'), { c: '#3' })
})

test('a backslash at the end of a line goes on in the next without its leading white space', () => {
  assert.deepEqual(values('a=1,\\\n   2,\\\r\n\t3\nb=x\\\\\nc=end\\'), { a: '1,2,3', b: 'x\\', c: 'end' })
})

test('a comment line inside a continuation is part of the value', () => {
  assert.deepEqual(values('a=1\\\n#2'), { a: '1#2' })
})

test('escapes stand for characters, in keys too', () => {
  assert.deepEqual(values('a\\ b\\=c=\\t\\u0041\\q\\\\'), { 'a b=c': '\tAq\\' })
})

test('the last value of a repeated key wins, with its line', () => {
  assert.deepEqual(parseProperties('a=1\n\na=2', 'server.properties').get('a'), {
    value: '2',
    source: 'server.properties line 3',
  })
})

test('a broken unicode escape is an error that names the line', () => {
  assert.throws(
    () => parseProperties('ok=1\nbad=\\u12', 'f'),
    /f line 2: \\u must be followed by four hexadecimal digits/,
  )
})

test('an override needs a name and a value', () => {
  assert.deepEqual(parseOverride('a.b=c=d'), ['a.b', { value: 'c=d', source: '--override' }])
  assert.throws(() => parseOverride('a.b'), /expected name=value/)
  assert.throws(() => parseOverride('=x'), /expected name=value/)
})

test('any text is read without a hang or an error of ours, and escaped pairs come back as they were', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 80 }), (text) => {
      try {
        parseProperties(text, 'f')
      } catch (error) {
        assert.match((error as Error).message, /four hexadecimal digits/)
      }
    }),
  )
  const escape = (text: string): string =>
    text.replace(/[^]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme-ascii' }), fc.string({ unit: 'grapheme-ascii' }), (name, value) => {
      assert.equal(parseProperties(`${escape(name)}=${escape(value)}`, 'f').get(name)?.value ?? '', value)
    }),
  )
})
