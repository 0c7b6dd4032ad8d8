import { test } from 'node:test'
import assert from 'node:assert/strict'
import { digest, hmac, sameSecret, stretch } from './digests.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const hex = (value: Uint8Array): string => Buffer.from(value).toString('hex')

test('the digests are those of the standards', async () => {
  // FIPS 180-2 appendix B.1, RFC 4231 test case 2, RFC 7914 section 11.
  assert.equal(hex(digest('sha256', bytes('abc'))), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
  assert.equal(
    hex(hmac('sha256', bytes('Jefe'), bytes('what do ya want for nothing?'))),
    '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
  )
  assert.equal(
    hex(await stretch('sha256', bytes('passwd'), { salt: bytes('salt'), iterations: 1 })),
    '55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc',
  )
  assert.equal((await stretch('sha512', bytes('passwd'), { salt: bytes('salt'), iterations: 1 })).length, 64)
})

test('secrets are the same when all their bytes are', () => {
  assert.ok(sameSecret(Uint8Array.of(1, 2), Uint8Array.of(1, 2)))
  assert.ok(!sameSecret(Uint8Array.of(1, 2), Uint8Array.of(1, 3)))
  assert.ok(!sameSecret(Uint8Array.of(1, 2), Uint8Array.of(1, 2, 3)))
})
