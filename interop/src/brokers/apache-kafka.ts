// Apache Kafka as a KRaft single node, with the heap, collector and settings that its distribution ships.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runToSuccess } from '../command.ts'
import type { BrokerKind, RunningBroker, StartOptions } from './broker.ts'
import { startProcess } from './broker-process.ts'
import { freePorts } from './free-port.ts'
import { kafkaDistribution } from './kafka-distribution.ts'

/** What kafka-server-start sets: heap, collector, the JMX agent. */
const serverFlags = [
  '-Xmx1G',
  '-Xms1G',
  '-server',
  '-XX:+UseG1GC',
  '-XX:MaxGCPauseMillis=20',
  '-XX:InitiatingHeapOccupancyPercent=35',
  '-XX:+ExplicitGCInvokesConcurrent',
  '-XX:MaxInlineLevel=15',
  '-Djava.awt.headless=true',
  '-Dcom.sun.management.jmxremote=true',
  '-Dcom.sun.management.jmxremote.authenticate=false',
  '-Dcom.sun.management.jmxremote.ssl=false',
]

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

async function start(options: StartOptions): Promise<RunningBroker> {
  const { dataDirectory } = options
  const { classPath } = await kafkaDistribution()
  const [freePort, controllerPort] = (await freePorts(2)) as [number, number]
  const port = options.port ?? freePort
  const settings = `${dataDirectory}.kafka`
  mkdirSync(settings, { recursive: true })
  const logging = join(settings, 'log4j2.yaml')
  writeFileSync(logging, loggingConfiguration)
  const properties: Record<string, string> = {
    ...shippedProperties,
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
    'log.dirs': dataDirectory,
    ...options.properties,
  }
  const propertiesFile = join(settings, 'server.properties')
  writeFileSync(
    propertiesFile,
    Object.entries(properties)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(''),
  )
  const common = ['-cp', classPath, `-Dlog4j2.configurationFile=${logging}`]
  if (!existsSync(join(dataDirectory, 'meta.properties'))) {
    const format = ['format', '--cluster-id', 'MkU3OEVBNTcwNTJENDM2Qk', '--config', propertiesFile]
    await runToSuccess('java', [...common, 'kafka.tools.StorageTool', ...format], { timeoutMs: 120_000 })
  }
  const collectorLog = `-Xlog:gc*:file=${join(settings, 'gc.log')}:time,tags:filecount=10,filesize=100M`
  const args = [...serverFlags, collectorLog, ...common, 'kafka.Kafka', propertiesFile]
  return startProcess({ file: 'java', args, cwd: settings, port, dataDirectory })
}

export const apacheKafka: BrokerKind = {
  name: 'apache',
  preallocatesIndexes: true,
  prepare: async () => {
    await kafkaDistribution()
  },
  start,
}
