import assert from 'node:assert/strict'
import { test } from 'node:test'
import { banner } from './banner.ts'

function bannerOf(...hosts: string[]): string {
  const listeners = hosts.map((host) => ({ name: 'PLAINTEXT', address: { host, port: 9092 }, advertised: null }))
  return banner({ listeners, directories: ['/data/a', '/data/b'], startedMs: 99 })
}

test('it tells where the broker is, where its data is and how to say hello', () => {
  const text = bannerOf('127.0.0.1', '::1')
  assert.match(text, /is up after 99 ms/)
  assert.match(text, /listens on {2}127\.0\.0\.1:9092, \[::1\]:9092/)
  assert.match(text, /data in {5}\/data\/a, \/data\/b/)
  assert.match(text, /echo hello \| kcat -P -b localhost:9092 -t greetings/)
  assert.match(text, /kafka-console-producer --bootstrap-server localhost:9092 --topic greetings/)
})

test('a client on this machine is told an address that works', () => {
  assert.match(bannerOf('::'), /-b localhost:9092/)
  assert.match(bannerOf('10.1.2.3'), /-b 10\.1\.2\.3:9092/)
  assert.match(bannerOf('fd00::1'), /-b \[fd00::1\]:9092/)
  const advertised = { host: 'kafka.example.com', port: 443 }
  const listener = { name: 'PLAINTEXT', address: { host: '0.0.0.0', port: 9092 }, advertised }
  assert.match(banner({ listeners: [listener], directories: [], startedMs: 1 }), /-b kafka\.example\.com:443/)
})
