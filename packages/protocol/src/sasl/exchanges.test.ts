import { test } from 'node:test'
import assert from 'node:assert/strict'
import { oauthBearerExchange } from './oauth-bearer.ts'
import { plainExchange } from './plain.ts'

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
const empty = new Uint8Array(0)

test('PLAIN is name and password', async () => {
  const exchange = plainExchange({ username: 'alice', password: 'pässword' })
  assert.equal(text((await exchange.next()).value!), '\0alice\0pässword')
  assert.ok((await exchange.next(empty)).done)
  await assert.rejects(plainExchange({ username: 'a\0b', password: 'c' }).next(), { code: 58 })
})

test('a token is sent with its extensions, and nothing more when it is taken', async () => {
  const exchange = oauthBearerExchange({
    token: 'a.b-c_d==',
    extensions: { logicalCluster: 'lkc-1', pool: 'two words' },
  })
  assert.equal(
    text((await exchange.next()).value!),
    'n,,\u0001auth=Bearer a.b-c_d==\u0001logicalCluster=lkc-1\u0001pool=two words\u0001\u0001',
  )
  assert.ok((await exchange.next(empty)).done)
})

test('a token that is not taken is answered once more, then the reason is told', async () => {
  const exchange = oauthBearerExchange({ token: 'abc', extensions: {} })
  assert.equal(text((await exchange.next()).value!), 'n,,\u0001auth=Bearer abc\u0001\u0001')
  assert.deepEqual(
    (await exchange.next(new TextEncoder().encode('{"status":"invalid_token"}'))).value,
    Uint8Array.of(1),
  )
  await assert.rejects(exchange.next(empty), { code: 58, message: /refused the token: {"status":"invalid_token"}/ })
})

test('a token or extension that would change the message is refused, and no message shows the token', async () => {
  for (const token of ['', 'a\u0001b', 'a b', 'a,b'])
    await assert.rejects(oauthBearerExchange({ token, extensions: {} }).next(), (error: Error) => {
      assert.match(error.message, /the OAUTHBEARER token is empty or has characters/)
      return token === '' || !error.message.includes(token)
    })
  for (const extensions of [{ auth: 'x' }, { 'a b': 'x' }, { a1: 'x' }, { a: '' }, { a: 'x\u0001auth=y' }])
    await assert.rejects(oauthBearerExchange({ token: 'abc', extensions }).next(), { message: /^extension/ })
})
