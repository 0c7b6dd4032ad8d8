import { test } from 'node:test'
import assert from 'node:assert/strict'
import type { HashName } from '@millrace/runtime'
import { SeededRandom } from '@millrace/runtime/testing'
import { scramServer } from '../testing/scram-server.ts'
import { scramExchange } from './scram.ts'
import type { ScramOptions } from './scram.ts'

const utf8 = (value: string): Uint8Array => new TextEncoder().encode(value)
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

const options: ScramOptions = {
  hash: 'sha256',
  username: 'user',
  password: 'pencil',
  delegationToken: false,
  random: { bytes: () => new Uint8Array(Buffer.from('rOprNGfwEbeRWgbNEkqO', 'base64')) },
}
const serverFirst = 'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096'

test('the exchange of RFC 7677 is made to the letter', async () => {
  const exchange = scramExchange(options)
  assert.equal(text((await exchange.next()).value!), 'n,,n=user,r=rOprNGfwEbeRWgbNEkqO')
  assert.equal(
    text((await exchange.next(utf8(serverFirst))).value!),
    'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
  )
  const end = await exchange.next(utf8('v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4='))
  assert.ok(end.done)
})

/** Runs both sides against each other; gives the client's first message. */
async function exchangeWithServer(
  client: Omit<ScramOptions, 'random'>,
  server: { readonly hash: HashName; readonly password: string },
): Promise<string> {
  let first = ''
  const other = scramServer({ ...server, onClientFirst: (message) => (first = message) })
  await other.next()
  const exchange = scramExchange({ ...client, random: new SeededRandom(1) })
  let step = await exchange.next()
  while (step.done !== true) step = await exchange.next((await other.next(step.value)).value as Uint8Array)
  return first
}

for (const hash of ['sha256', 'sha512'] as const) {
  test(`client and server agree with ${hash}, whatever name and password`, async () => {
    const client = { hash, username: 'a,b=ç', password: 'pässwörd,=\u0000', delegationToken: false }
    const first = await exchangeWithServer(client, { hash, password: client.password })
    assert.match(first, /^n,,n=a=2Cb=3Dç,r=[^,]{32}$/)
    await assert.rejects(exchangeWithServer(client, { hash, password: 'other' }), /the proof is wrong/)
  })
}

test('a delegation token says that it is one', async () => {
  const client = { hash: 'sha512', username: 'token-id', password: 'aG1hYw==', delegationToken: true } as const
  assert.match(await exchangeWithServer(client, client), /^n,,n=token-id,r=[^,]{32},tokenauth=true$/)
})

for (const { name, answer, message } of [
  { name: 'few iterations', answer: serverFirst.replace('4096', '4095'), message: /4095 SCRAM iterations/ },
  {
    name: 'many iterations',
    answer: serverFirst.replace('4096', '9999999999'),
    message: /9999999999 SCRAM iterations/,
  },
  { name: 'a nonce that is not ours', answer: serverFirst.replace('r=rO', 'r=ro'), message: /does not continue ours/ },
  { name: 'no nonce of its own', answer: 'r=rOprNGfwEbeRWgbNEkqO,s=W22Z,i=4096', message: /does not continue ours/ },
  {
    name: 'a demand',
    answer: `m=channel,${serverFirst}`,
    message: /extension of SCRAM that is not known here: m=channel/,
  },
  { name: 'an empty salt', answer: serverFirst.replace(/s=[^,]*/, 's='), message: /expected SCRAM's r=…,s=…,i=…/ },
  { name: 'no number', answer: serverFirst.replace('4096', '4096x'), message: /expected SCRAM's r=…,s=…,i=…/ },
  { name: 'nothing', answer: '', message: /expected SCRAM's r=…,s=…,i=… from the broker, got ""/ },
  { name: 'junk', answer: '\uffff'.repeat(1000), message: /…"$/ },
]) {
  test(`a first answer with ${name} ends the exchange`, async () => {
    const exchange = scramExchange(options)
    await exchange.next()
    await assert.rejects(exchange.next(utf8(answer)), { code: 58, retriable: false, message })
  })
}

for (const { name, answer, message } of [
  { name: 'an error', answer: 'e=other-error', message: /refused the SCRAM exchange: other-error/ },
  { name: 'a wrong signature', answer: `v=${'A'.repeat(43)}=`, message: /did not prove that it knows the password/ },
  { name: 'a short signature', answer: 'v=6rriTRBi23Wp', message: /did not prove that it knows the password/ },
  { name: 'no signature', answer: '', message: /did not prove that it knows the password/ },
]) {
  test(`a last answer with ${name} ends the exchange`, async () => {
    const exchange = scramExchange(options)
    await exchange.next()
    await exchange.next(utf8(serverFirst))
    await assert.rejects(exchange.next(utf8(answer)), { code: 58, retriable: false, message })
  })
}
