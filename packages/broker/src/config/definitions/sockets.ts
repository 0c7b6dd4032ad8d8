/** Listeners, connections and what they may use. Facts: Apache Kafka 4.3.1. */
import { atLeast, atLeastOne } from '../config-checks.ts'
import { INT_MAX, int, list, long, string } from '../config-definition.ts'

export const socketsConfigs = {
  listeners: list({
    default: ['PLAINTEXT://:9092'],
    check: atLeastOne,
    importance: 'high',
    dynamic: 'per-broker',
    doc: 'Where this broker listens: NAME://host:port, comma separated. Without a host on all interfaces; localhost is 127.0.0.1 and ::1.',
  }),
  'advertised.listeners': list({
    default: null,
    check: atLeastOne,
    importance: 'high',
    doc: 'Where clients are told to find this broker, per listener. Unset: where they have found it.',
  }),
  'listener.security.protocol.map': string({
    default: 'SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT',
    importance: 'low',
    dynamic: 'per-broker',
    doc: 'The security protocol of each listener name: NAME:PROTOCOL, comma separated.',
  }),
  'socket.send.buffer.bytes': int({
    default: 102_400,
    importance: 'high',
    doc: "SO_SNDBUF of client connections; -1 is the system's default.",
  }),
  'socket.receive.buffer.bytes': int({
    default: 102_400,
    importance: 'high',
    doc: "SO_RCVBUF of client connections; -1 is the system's default.",
  }),
  'socket.request.max.bytes': int({
    default: 104_857_600,
    check: atLeast(1),
    importance: 'high',
    doc: 'Largest request. A larger one ends its connection.',
  }),
  'socket.listen.backlog.size': int({
    default: 50,
    check: atLeast(1),
    importance: 'medium',
    doc: 'Connections the system queues before they are accepted.',
  }),
  'max.connections.per.ip': int({
    default: INT_MAX,
    check: atLeast(0),
    importance: 'medium',
    dynamic: 'cluster-wide',
    doc: 'Most connections from one address.',
  }),
  'max.connections.per.ip.overrides': string({
    default: '',
    importance: 'medium',
    dynamic: 'cluster-wide',
    doc: 'Exceptions from max.connections.per.ip: address:count, comma separated.',
  }),
  'max.connections': int({
    default: INT_MAX,
    check: atLeast(0),
    importance: 'medium',
    dynamic: 'cluster-wide',
    doc: 'Most connections of this broker.',
  }),
  'max.connection.creation.rate': int({
    default: INT_MAX,
    check: atLeast(0),
    importance: 'medium',
    dynamic: 'cluster-wide',
    doc: 'Most new connections per second.',
  }),
  'connections.max.idle.ms': long({
    default: 600_000,
    importance: 'medium',
    doc: 'A connection without traffic for this long is closed; negative: never.',
  }),
  'connection.failed.authentication.delay.ms': int({
    default: 100,
    check: atLeast(0),
    importance: 'low',
    doc: 'How long the answer to a failed authentication is held back.',
  }),
  'queued.max.requests': int({
    default: 500,
    check: atLeast(1),
    importance: 'high',
    doc: 'Requests queued before reading stops. Millrace bounds requests per connection instead.',
  }),
  'queued.max.request.bytes': long({
    default: -1,
    importance: 'medium',
    doc: 'Bytes of requests being received or served over all connections; -1: a bound derived from the memory of the machine.',
  }),
  'num.network.threads': int({
    default: 3,
    check: atLeast(1),
    importance: 'high',
    dynamic: 'cluster-wide',
    doc: 'Threads that read and write sockets. Millrace has one event loop, so only the value is kept.',
  }),
}
