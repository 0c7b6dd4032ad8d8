// A node of Apache Kafka 4.3.1 that is broker and controller in one, alone or as one of a cluster.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runToSuccess } from '../command.ts'
import type { RunningBroker } from './broker.ts'
import { startProcess } from './broker-process.ts'
import { kafkaDistribution } from './kafka-distribution.ts'
import { writeProperties } from './write-properties.ts'

const clusterId = 'MkU3OEVBNTcwNTJENDM2Qk'

/** The values of the distribution's config/server.properties. */
const shippedProperties = {
  'num.network.threads': '3',
  'num.io.threads': '8',
  'socket.send.buffer.bytes': '102400',
  'socket.receive.buffer.bytes': '102400',
  'socket.request.max.bytes': '104857600',
  'num.partitions': '1',
  'num.recovery.threads.per.data.dir': '2',
  'offsets.topic.replication.factor': '1',
  'share.coordinator.state.topic.replication.factor': '1',
  'share.coordinator.state.topic.min.isr': '1',
  'transaction.state.log.replication.factor': '1',
  'transaction.state.log.min.isr': '1',
  'log.retention.hours': '168',
  'log.segment.bytes': '1073741824',
  'log.retention.check.interval.ms': '300000',
}

const loggingConfiguration = `Configuration:
  Appenders:
    Console: { name: STDOUT, PatternLayout: { pattern: "[%d] %p %m (%c)%n" } }
  Loggers:
    Root: { level: INFO, AppenderRef: [{ ref: STDOUT }] }
`

export interface KraftNodeOptions {
  readonly dataDirectory: string
  readonly nodeId: number
  readonly port: number
  readonly controllerPort: number
  /** The controllers' ports by node id, this one's among them. */
  readonly voters: ReadonlyMap<number, number>
  /** Of the JVM: heap, collector. */
  readonly flags: (settingsDirectory: string) => readonly string[]
  readonly properties?: Readonly<Record<string, string>>
}

/** Formats the directory if that has not been done, starts the process and returns at once. */
export async function startKraftNode(options: KraftNodeOptions): Promise<RunningBroker> {
  const { dataDirectory, nodeId, port, controllerPort, voters } = options
  const { classPath } = await kafkaDistribution()
  const settings = `${dataDirectory}.kafka`
  mkdirSync(settings, { recursive: true })
  const logging = join(settings, 'log4j2.yaml')
  writeFileSync(logging, loggingConfiguration)
  const propertiesFile = join(settings, 'server.properties')
  writeProperties(propertiesFile, {
    ...shippedProperties,
    'process.roles': 'broker,controller',
    'node.id': String(nodeId),
    'controller.quorum.voters': [...voters].map(([id, votersPort]) => `${id}@127.0.0.1:${votersPort}`).join(','),
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
    'log.dirs': dataDirectory,
    ...options.properties,
  })
  const common = ['-cp', classPath, `-Dlog4j2.configurationFile=${logging}`]
  if (!existsSync(join(dataDirectory, 'meta.properties'))) {
    const format = ['format', '--cluster-id', clusterId, '--config', propertiesFile]
    const quick = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC']
    await runToSuccess('java', [...quick, ...common, 'kafka.tools.StorageTool', ...format], { timeoutMs: 120_000 })
  }
  const args = [...options.flags(settings), ...common, 'kafka.Kafka', propertiesFile]
  return startProcess({ file: 'java', args, cwd: settings, port, dataDirectory })
}
