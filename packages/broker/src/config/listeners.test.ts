import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BrokerConfig } from './broker-config.ts'
import { ConfigError } from './config-error.ts'

function problemOf(values: Record<string, string>): string {
  try {
    BrokerConfig.of(values)
    return ''
  } catch (error) {
    assert.ok(error instanceof ConfigError)
    return error.message
  }
}

test('without settings there is one listener on all interfaces, told as it is found', () => {
  const config = BrokerConfig.of()
  assert.deepEqual(config.listeners, [
    {
      name: 'PLAINTEXT',
      host: null,
      port: 9092,
      securityProtocol: 'PLAINTEXT',
      bind: [{ host: '::', port: 9092, isOptional: false, fallbackHost: '0.0.0.0' }],
      advertised: null,
    },
  ])
  assert.equal(config.interBrokerListenerName, 'PLAINTEXT')
})

test('localhost is both loopback addresses, the IPv6 one where there is IPv6', () => {
  const [listener] = BrokerConfig.of({ listeners: 'PLAINTEXT://localhost:0' }).listeners
  assert.deepEqual(listener?.bind, [
    { host: '127.0.0.1', port: 0, isOptional: false, fallbackHost: null },
    { host: '::1', port: 0, isOptional: true, fallbackHost: null },
  ])
})

test('names, IPv6 literals and advertised addresses are understood', () => {
  const config = BrokerConfig.of({
    listeners: 'internal://[::1]:9093, EXTERNAL://0.0.0.0:9094',
    'advertised.listeners': 'EXTERNAL://kafka.example.com:443,INTERNAL://[fd00::1]:9093',
    'listener.security.protocol.map': 'INTERNAL:PLAINTEXT,EXTERNAL:plaintext',
    'inter.broker.listener.name': 'INTERNAL',
  })
  assert.deepEqual(
    config.listeners.map(({ name, host, advertised }) => [name, host, advertised]),
    [
      ['INTERNAL', '::1', { host: 'fd00::1', port: 9093 }],
      ['EXTERNAL', '0.0.0.0', { host: 'kafka.example.com', port: 443 }],
    ],
  )
})

test('one port may be shared by one IPv4 and one IPv6 address, and by listeners on port 0', () => {
  const map = { 'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,B:PLAINTEXT' }
  assert.equal(problemOf({ listeners: 'PLAINTEXT://127.0.0.1:9092,B://[::1]:9092', ...map }), '')
  assert.equal(problemOf({ listeners: 'PLAINTEXT://127.0.0.1:0,B://127.0.0.1:0', ...map }), '')
  assert.match(problemOf({ listeners: 'PLAINTEXT://127.0.0.1:9092,B://127.0.0.2:9092', ...map }), /share port 9092/)
  assert.match(problemOf({ listeners: 'PLAINTEXT://:9092,B://[::1]:9092', ...map }), /share port 9092/)
})

test('what is wrong with listeners is said with their text', () => {
  const cases: [Record<string, string>, RegExp][] = [
    [{ listeners: 'localhost:9092' }, /listeners: localhost:9092 is not of the form NAME:\/\/host:port/],
    [{ listeners: 'PLAINTEXT://h:70000' }, /the port of PLAINTEXT:\/\/h:70000 must be from 0 to 65535/],
    [{ listeners: 'PLAINTEXT://:9092,plaintext://:9093' }, /each listener must have a different name/],
    [{ listeners: '' }, /listeners: the list must not be empty/],
    [{ listeners: 'CLIENTS://:9092' }, /CLIENTS:\/\/:9092 has no security protocol/],
    [{ listeners: 'PLAINTEXT://:9092,SSL://:9093' }, /SSL:\/\/:9093 uses SSL, which is not supported yet/],
    [{ 'listener.security.protocol.map': 'A:TLS' }, /TLS is not a security protocol/],
    [{ 'listener.security.protocol.map': 'A' }, /"A" is not of the form name:value/],
    [{ 'advertised.listeners': 'OTHER://h:1' }, /names a listener that listeners does not have/],
    [{ 'advertised.listeners': 'PLAINTEXT://0.0.0.0:9092' }, /is not an address clients can reach/],
    [{ 'advertised.listeners': 'PLAINTEXT://:9999' }, /has another port than the listener and so needs a host/],
    [{ 'inter.broker.listener.name': 'X' }, /X is not in listener.security.protocol.map/],
    [{ 'inter.broker.listener.name': 'SSL' }, /SSL must be a listener that is advertised; those are PLAINTEXT/],
    [
      { 'inter.broker.listener.name': 'PLAINTEXT', 'security.inter.broker.protocol': 'PLAINTEXT' },
      /only one of them may be set/,
    ],
  ]
  for (const [values, expected] of cases) assert.match(problemOf(values), expected)
})

test('a combined KRaft server.properties opens its broker listeners only', () => {
  const config = BrokerConfig.of({
    'process.roles': 'broker,controller',
    listeners: 'PLAINTEXT://:9092,CONTROLLER://:9093',
    'advertised.listeners': 'PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093',
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
  })
  assert.deepEqual(
    config.listeners.map(({ name }) => name),
    ['PLAINTEXT'],
  )
  assert.match(config.warnings.join('\n'), /not opening CONTROLLER:\/\/:9093/)
})
