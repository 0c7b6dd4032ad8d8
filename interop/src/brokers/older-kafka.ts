// Apache Kafka of former years as a single node with its ZooKeeper, both of the jars that Maven Central has.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { installOnce } from '../cache.ts'
import { runToSuccess } from '../command.ts'
import type { BrokerKind, RunningBroker, StartOptions } from './broker.ts'
import { acceptsConnections, startProcess } from './broker-process.ts'
import { freePorts } from './free-port.ts'
import { writeProperties } from './write-properties.ts'

interface Release {
  readonly name: string
  readonly kafka: string
  /** Of the Scala that its jar was built with. */
  readonly scala: string
}

const loggingConfiguration = `log4j.rootLogger=INFO, out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=[%d] %p %m (%c)%n
`

const jvmFlags = ['-XX:+UseSerialGC', '-Djava.awt.headless=true']

/** The shortest session is two ticks. */
const zookeeperTickMs = 500
const zookeeperSessionMs = 2000

const shippedProperties = {
  'broker.id': '1',
  'num.partitions': '1',
  'offsets.topic.replication.factor': '1',
  'transaction.state.log.replication.factor': '1',
  'transaction.state.log.min.isr': '1',
  'zookeeper.session.timeout.ms': String(zookeeperSessionMs),
}

/** The folder of its jars and settings. */
async function install({ name, kafka, scala }: Release): Promise<string> {
  const pom = join(import.meta.dirname, 'older-kafka.pom.xml')
  return installOnce(`interop/${name}`, [readFileSync(pom, 'utf8'), kafka, scala], async (target) => {
    const copy = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies'
    const options = [
      '-DincludeScope=runtime',
      `-DoutputDirectory=${join(target, 'lib')}`,
      `-Dkafka.version=${kafka}`,
      `-Dscala.version=${scala}`,
    ]
    await runToSuccess('mvn', ['-q', '-B', '-f', pom, copy, ...options], { timeoutMs: 600_000 })
    writeFileSync(join(target, 'log4j.properties'), loggingConfiguration)
  })
}

async function startZooKeeper(directory: string, data: string): Promise<{ port: number; process: RunningBroker }> {
  const [port] = (await freePorts(1)) as [number]
  mkdirSync(data, { recursive: true })
  const properties = join(data, 'zookeeper.properties')
  writeProperties(properties, {
    clientPort: String(port),
    clientPortAddress: '127.0.0.1',
    dataDir: join(data, 'data'),
    maxClientCnxns: '0',
    tickTime: String(zookeeperTickMs),
    'admin.enableServer': 'false',
  })
  const args = [
    '-Xmx128m',
    ...jvmFlags,
    `-Dlog4j.configuration=file:${join(directory, 'log4j.properties')}`,
    '-cp',
    join(directory, 'lib', '*'),
    'org.apache.zookeeper.server.ZooKeeperServerMain',
    properties,
  ]
  const process = startProcess({
    file: 'java',
    args,
    cwd: data,
    port,
    dataDirectory: data,
    answers: acceptsConnections,
  })
  await process.ready()
  return { port, process }
}

async function start(release: Release, options: StartOptions): Promise<RunningBroker> {
  const { dataDirectory } = options
  const directory = await install(release)
  const isRestart = existsSync(dataDirectory)
  const zookeeper = await startZooKeeper(directory, `${dataDirectory}.zookeeper`)
  // The session of a broker that was killed outlives it, and its place is taken until then.
  if (isRestart) await delay(zookeeperSessionMs + 2 * zookeeperTickMs)
  const port = options.port ?? ((await freePorts(1)) as [number])[0]
  const settings = `${dataDirectory}.kafka`
  mkdirSync(settings, { recursive: true })
  const propertiesFile = join(settings, 'server.properties')
  writeProperties(propertiesFile, {
    ...shippedProperties,
    'zookeeper.connect': `127.0.0.1:${zookeeper.port}`,
    listeners: `PLAINTEXT://127.0.0.1:${port}`,
    'log.dirs': dataDirectory,
    ...options.properties,
  })
  const args = [
    '-Xmx512m',
    ...jvmFlags,
    ...(options.jvmFlags ?? []),
    `-Dlog4j.configuration=file:${join(directory, 'log4j.properties')}`,
    '-cp',
    join(directory, 'lib', '*'),
    'kafka.Kafka',
    propertiesFile,
  ]
  const broker = startProcess({ file: 'java', args, cwd: settings, port, dataDirectory })
  return {
    ...broker,
    async stop() {
      await broker.stop()
      await zookeeper.process.kill()
    },
    async kill() {
      await broker.kill()
      await zookeeper.process.kill()
    },
  }
}

function kindOf(release: Release): BrokerKind {
  return {
    name: release.name,
    preallocatesIndexes: true,
    prepare: async () => {
      await install(release)
    },
    start: (options) => start(release, options),
  }
}

/** The last of the 2.x that many clusters still are. */
export const apacheKafka28 = kindOf({ name: 'apache-2.8', kafka: '2.8.2', scala: '2.13' })
/** Before KIP-320, KIP-345, KIP-392 and zstd. */
export const apacheKafka11 = kindOf({ name: 'apache-1.1', kafka: '1.1.1', scala: '2.12' })
/** The oldest with record batches of today's format and transactions. */
export const apacheKafka011 = kindOf({ name: 'apache-0.11', kafka: '0.11.0.3', scala: '2.11' })
