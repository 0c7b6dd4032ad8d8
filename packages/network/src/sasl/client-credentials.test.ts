import { test } from 'node:test'
import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { simulation } from '@millrace/runtime/testing'
import { clientCredentials, type ClientCredentialsOptions } from './client-credentials.ts'
import type { OAuthBearerToken } from './credentials.ts'
import { TokenCache } from './token-cache.ts'

interface Asked {
  readonly authorization: string | undefined
  readonly body: string
}

/** A token endpoint that answers as told; keeps what it was asked. */
async function startEndpoint(
  answer: (response: ServerResponse, count: number) => void,
): Promise<{ url: string; asked: Asked[] } & AsyncDisposable> {
  const asked: Asked[] = []
  const server = createServer((request: IncomingMessage, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => {
      asked.push({ authorization: request.headers.authorization, body })
      answer(response, asked.length)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`,
    asked,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const json = (response: ServerResponse, value: object, status = 200): void => {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(value))
}

const never = new AbortController().signal

function jwt(expiresAt: number): string {
  const claims = Buffer.from(JSON.stringify({ exp: expiresAt / 1000 })).toString('base64url')
  return `header.${claims}.signature`
}

function provider(url: string, options: Partial<ClientCredentialsOptions> = {}): ReturnType<typeof clientCredentials> {
  return clientCredentials({ tokenEndpointUrl: url, clientId: 'app', clientSecret: 's:cret+/', ...options })
}

test('the grant is asked for as Kafka does, and its token remembered', async () => {
  const expiresAt = Math.floor(Date.now() / 1000) * 1000 + 3_600_000
  await using endpoint = await startEndpoint((response) => json(response, { access_token: jwt(expiresAt) }))
  const token = provider(endpoint.url, { scope: 'kafka write', extensions: { pool: 'a' } })
  const [first, second] = await Promise.all([token(never), token(never)])
  assert.deepEqual(first, { value: jwt(expiresAt), expiresAt, extensions: { pool: 'a' } })
  assert.deepEqual(await token(never), second)
  assert.deepEqual(endpoint.asked, [
    {
      authorization: `Basic ${Buffer.from('app:s:cret+/').toString('base64')}`,
      body: 'grant_type=client_credentials&scope=kafka+write',
    },
  ])
})

test('id and secret are encoded when wanted', async () => {
  await using endpoint = await startEndpoint((response) => json(response, { access_token: 'opaque', expires_in: 60 }))
  const before = Date.now()
  const { value, expiresAt } = await provider(endpoint.url, { headerUrlencode: true })(never)
  assert.equal(value, 'opaque')
  assert.ok(expiresAt! >= before + 60_000 && expiresAt! <= Date.now() + 60_000)
  const pair = Buffer.from(endpoint.asked[0]!.authorization!.slice('Basic '.length), 'base64').toString()
  assert.equal(pair, 'app:s%3Acret%2B%2F')
})

test('a refusal is told, a passing failure is tried again', async () => {
  await using refusing = await startEndpoint((response) => json(response, { error: 'invalid_client' }, 401))
  await assert.rejects(provider(refusing.url)(never), {
    code: 58,
    retriable: false,
    message: `${refusing.url}: the token endpoint answered with status 401: {"error":"invalid_client"}`,
  })
  assert.equal(refusing.asked.length, 1)
  await using busy = await startEndpoint((response, count) =>
    count < 3 ? json(response, {}, 503) : json(response, { access_token: 'abc' }),
  )
  assert.deepEqual(await provider(busy.url)(never), { value: 'abc' })
  assert.equal(busy.asked.length, 3)
})

for (const { name, body } of [
  { name: 'no JSON', body: '<html>secret</html>' },
  { name: 'no token', body: '{"token":"secret"}' },
  { name: 'an empty token', body: '{"access_token":" ","secret":1}' },
  { name: 'null', body: 'null' },
]) {
  test(`an answer that is ${name} is refused, and not shown`, async () => {
    await using endpoint = await startEndpoint((response) => response.end(body))
    await assert.rejects(provider(endpoint.url)(never), (error: Error) => {
      assert.match(error.message, /expected JSON with an access_token/)
      return !error.message.includes('secret')
    })
  })
}

test('who does not want to wait any longer does not', async () => {
  await using endpoint = await startEndpoint(() => {})
  const controller = new AbortController()
  const waiting = provider(endpoint.url)(controller.signal)
  controller.abort(new Error('enough'))
  await assert.rejects(waiting, { message: 'enough' })
})

test('options that are none are refused at once', () => {
  assert.throws(() => provider('kafka:9092'), { name: 'TypeError', message: /tokenEndpointUrl: expected an http/ })
  assert.throws(() => provider('http://x', { clientSecret: undefined as unknown as string }), {
    name: 'TypeError',
    message: 'clientSecret: expected a text, got none',
  })
})

test('a token is renewed after 80 percent of its life, and used to its end when that fails', async () => {
  const world = simulation(1)
  const host = world.host('client')
  let count = 0
  let works = true
  const tokens = new TokenCache(host.clock, (): Promise<OAuthBearerToken> => {
    count++
    if (!works) return Promise.reject(new Error('the endpoint is down'))
    return Promise.resolve({ value: `token-${count}`, expiresAt: host.clock.now() + 10_000 })
  })
  const valueAt = async (ms: number): Promise<string> => {
    await world.time.advance(ms - world.time.nowMs)
    return (await tokens.get(never)).value
  }
  assert.equal(await valueAt(0), 'token-1')
  assert.equal(await valueAt(7_900), 'token-1')
  assert.equal(await valueAt(8_100), 'token-2')
  works = false
  assert.equal(await valueAt(17_900), 'token-2')
  await assert.rejects(valueAt(18_200), { message: 'the endpoint is down' })
  works = true
  assert.equal(await valueAt(18_300), 'token-5')
})
