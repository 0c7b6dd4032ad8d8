import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  ApiVersions,
  apiByKey,
  encodeRequestFrame,
  encodeResponseFrame,
  MalformedMessageError,
  Metadata,
  Produce,
  readRequestHeader,
  readResponseHeader,
  Reader,
  SaslHandshake,
  writeRequestHeader,
  Writer,
} from './index.ts'

function hexOf(parts: readonly Uint8Array[]): string {
  return Buffer.concat(parts).toString('hex')
}

function requestHeader(hex: string): { header: ReturnType<typeof readRequestHeader>; rest: number } {
  const reader = new Reader(Buffer.from(hex.replaceAll(' ', ''), 'hex'))
  return { header: readRequestHeader(reader), rest: reader.remaining }
}

test('request headers: v1 before the flexible versions, v2 with tagged fields from then on', () => {
  const header = { apiKey: 3, apiVersion: 8, correlationId: 7, clientId: 'me' }
  assert.deepEqual(requestHeader('0003 0008 00000007 0002 6d65 ff'), { header, rest: 1 })
  const flexible = { ...header, apiVersion: 9 }
  assert.deepEqual(requestHeader('0003 0009 00000007 0002 6d65 00 ff'), { header: flexible, rest: 1 })
  assert.deepEqual(requestHeader('0003 0009 00000007 0002 6d65 01 05 02 aaaa ff'), { header: flexible, rest: 1 })
  assert.equal(requestHeader('0003 0008 00000007 ffff').header.clientId, null)
})

test('versions newer than known have a v2 header where the API is flexible, unknown keys a v1 header', () => {
  assert.equal(requestHeader('0012 0063 00000007 0002 6d65 00').rest, 0)
  assert.equal(requestHeader('03e7 0063 00000007 0002 6d65 00').rest, 1)
  assert.equal(requestHeader('ffff 0000 00000007 0002 6d65 00').rest, 1)
  assert.equal(requestHeader('0011 0063 00000007 0002 6d65 00').rest, 1)
})

test('a header that ends too early is malformed', () => {
  for (const hex of ['', '0003', '0003 0008 0000', '0003 0008 00000007 0005 6d', '0003 0009 00000007 ffff'])
    assert.throws(() => requestHeader(hex), MalformedMessageError)
})

test('written request headers read back', () => {
  for (const apiVersion of [0, 8, 9, 13])
    for (const clientId of [null, '', 'é client']) {
      const header = { apiKey: 3, apiVersion, correlationId: -5, clientId }
      const writer = new Writer()
      writeRequestHeader(writer, header)
      assert.deepEqual(requestHeader(hexOf(writer.finish())), { header, rest: 0 })
    }
})

test('frames carry length, header and body', () => {
  assert.equal(
    hexOf(encodeRequestFrame(ApiVersions, 0, 1, 'me', {})),
    '0000000c 0012 0000 00000001 0002 6d65'.replaceAll(' ', ''),
  )
  assert.equal(
    hexOf(encodeRequestFrame(ApiVersions, 3, 2, null, { clientSoftwareName: 'ab', clientSoftwareVersion: '1' })),
    '00000011 0012 0003 00000002 ffff 00 03 6162 02 31 00'.replaceAll(' ', ''),
  )
  assert.equal(
    hexOf(encodeResponseFrame(Metadata, 9, 6, { brokers: [], topics: [] })),
    '00000015 00000006 00 00000000 01 00 ffffffff 01 80000000 00'.replaceAll(' ', ''),
  )
  assert.equal(
    hexOf(encodeResponseFrame(SaslHandshake, 1, 6, { errorCode: 0, mechanisms: [] })),
    '0000000a00000006000000000000',
  )
})

test('the length of a frame counts referenced records', () => {
  const records = Buffer.alloc(10_000)
  const value = { acks: 1, timeoutMs: 1, topicData: [{ name: 't', partitionData: [{ index: 0, records }] }] }
  const parts = encodeRequestFrame(Produce, 9, 1, null, value)
  assert.ok(parts.includes(records))
  const whole = Buffer.concat(parts)
  assert.equal(whole.readInt32BE(0), whole.length - 4)
})

test('responses of ApiVersions have a v0 header in every version', () => {
  const [frame] = encodeResponseFrame(ApiVersions, 3, 9, { errorCode: 0, apiKeys: [] })
  assert.equal(hexOf([frame!]), '0000000c 00000009 0000 01 00000000 00'.replaceAll(' ', ''))
  const reader = new Reader(frame!, 4)
  assert.equal(readResponseHeader(reader, ApiVersions, 3), 9)
  assert.equal(reader.position, 8)
  const flexible = new Reader(Buffer.from('000000090100010aff', 'hex'))
  assert.equal(readResponseHeader(flexible, Metadata, 9), 9)
  assert.equal(flexible.remaining, 1)
})

test('APIs are found by key; unknown and impossible keys are not', () => {
  assert.equal(apiByKey(3), Metadata)
  for (const key of [-1, 4, 52, 94, 127, 128, 32_767, 0.5]) assert.equal(apiByKey(key), undefined)
})
