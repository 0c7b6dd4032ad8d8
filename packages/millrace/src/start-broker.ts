/** The embedding API: a broker inside this process. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BrokerConfig, propertiesOf, type PropertyInput } from '@millrace/broker'
import { silentLogger, type Logger } from '@millrace/runtime'
import { openBroker } from './open-broker.ts'

export interface StartBrokerOptions {
  /** TCP port to listen on. Default 0: any free one. */
  readonly port?: number
  /** Address to listen on, and the one clients are told. Default `127.0.0.1`. `localhost` is both loopback addresses. */
  readonly host?: string
  /**
   * Where records are kept. `memory` (the default): in this process, gone with it. `temporary`: in a new directory below the system's
   * temporary one, removed by `close`. `{ directory }`: in that directory, made when absent; what is there from before is served again.
   */
  readonly data?: 'memory' | 'temporary' | { readonly directory: string }
  /** Broker settings by Kafka's names, for example `{ 'num.partitions': 3 }`. Unknown names are an error. */
  readonly configs?: Readonly<Record<string, BrokerConfigInput>>
  /** Gets the broker's log lines. Default: nobody. */
  readonly logger?: Logger
}

/** A setting: text as in server.properties, or the value it stands for. */
export type BrokerConfigInput = string | number | bigint | boolean | readonly string[] | null | undefined

/** A broker that serves requests. `await using` closes it at the end of the block. */
export interface RunningBroker {
  /** Where clients connect: `host:port`. */
  readonly bootstrapServers: string
  readonly address: { readonly host: string; readonly port: number }
  readonly port: number
  readonly nodeId: number
  readonly clusterId: string
  /** Answers what has begun, and stops. Calling it again waits for the same end. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Starts a broker in this process, a cluster of its own. Resolves when it serves requests.
 *
 * Several brokers in one process do not disturb each other. A running broker keeps the process alive until it is closed.
 * @throws Error when a setting is wrong, the port is in use, or the directory cannot be used.
 */
export async function startBroker(options: StartBrokerOptions = {}): Promise<RunningBroker> {
  const { port = 0, host = '127.0.0.1', data = 'memory', logger = silentLogger } = options
  await using cleanup = new AsyncDisposableStack()
  const directory = await dataDirectory(data, cleanup)
  const config = BrokerConfig.from(
    propertiesOf(
      {
        listeners: `PLAINTEXT://${host.includes(':') ? `[${host}]` : host}:${port}`,
        'log.dirs': directory,
        'group.initial.rebalance.delay.ms': 0,
        ...(options.configs as Readonly<Record<string, PropertyInput>>),
      },
      'configs',
    ),
  )
  if (config.unknownNames.length > 0)
    throw new Error(`configs: there are no broker settings named ${config.unknownNames.join(', ')}`)
  for (const warning of config.warnings) logger.warn(warning)
  const { broker, stop } = await openBroker({ config, storage: data === 'memory' ? 'memory' : 'disk', logger })
  cleanup.defer(stop)
  const address = broker.listeners[0]!.advertised ?? broker.listeners[0]!.address
  const owned = cleanup.move()
  let closed: Promise<void> | undefined
  const close = (): Promise<void> => (closed ??= owned.disposeAsync())
  return {
    bootstrapServers: `${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`,
    address: { host: address.host, port: address.port },
    port: address.port,
    nodeId: broker.nodeId,
    clusterId: broker.clusterId,
    close,
    [Symbol.asyncDispose]: close,
  }
}

async function dataDirectory(
  data: NonNullable<StartBrokerOptions['data']>,
  cleanup: AsyncDisposableStack,
): Promise<string> {
  if (data === 'memory') return '/memory'
  if (data !== 'temporary') return data.directory
  const directory = await mkdtemp(join(tmpdir(), 'millrace-'))
  cleanup.defer(() => rm(directory, { recursive: true, force: true }))
  return directory
}
