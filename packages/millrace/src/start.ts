/** `millrace start`: a broker in the foreground. */
import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { BrokerConfig, ConfigError, parseOverride, parseProperties, type Property } from '@millrace/broker'
import { banner } from './banner.ts'
import { LogWriter, type LogFormat, type LogLevel } from './log-writer.ts'
import { openBroker } from './open-broker.ts'
import { explainFailure } from './start-failure.ts'
import { untilStopped } from './until-stopped.ts'

export interface StartOptions {
  /** null: our own defaults instead of a file. */
  readonly file: string | null
  /** `name=value` each. */
  readonly overrides: readonly string[]
  readonly logLevel: LogLevel
  readonly logFormat: LogFormat
}

/** Runs a broker until it is told to stop. Returns the process's exit status. */
export async function start({ file, overrides, logLevel, logFormat }: StartOptions): Promise<0 | 1> {
  const logger = new LogWriter({
    level: logLevel,
    format: logFormat,
    write: (line) => process.stderr.write(line),
    now: () => new Date(),
  })
  const stopping = untilStopped()
  try {
    const config = BrokerConfig.from(readSettings(file, overrides))
    for (const warning of config.warnings) logger.warn(warning)
    const { broker, stop } = await openBroker({ config, storage: 'disk', logger, onFatal: stopping.fail })
    keepYoungGeneration()
    const startedMs = Math.round(performance.now())
    if (logFormat === 'json') {
      const listeners = broker.listeners.map(({ name, address }) => `${name}://${address.host}:${address.port}`)
      logger.info('started', { startedMs, listeners, directories: config.logDirectories })
    } else process.stdout.write(banner({ listeners: broker.listeners, directories: config.logDirectories, startedMs }))
    const failure = await stopping.reason
    if (failure !== null) logger.error(`stopping: ${failure.message}`)
    await stop()
    return failure === null ? 0 : 1
  } catch (error) {
    for (const line of explainFailure(error)) logger.error(line)
    return 1
  }
}

/**
 * V8 lets the space for new objects grow with every burst of requests, and keeps it: 50 MB after 10,000 partitions were made. The size that
 * the start has given it costs no more processor time under any load measured.
 */
function keepYoungGeneration(): void {
  setFlagsFromString('--semi-space-growth-factor=1')
}

/** Without a file: both loopback addresses, and data that outlives a restart of the machine. */
function ownDefaults(): Map<string, Property> {
  const source = 'default of millrace start'
  const values = {
    listeners: 'PLAINTEXT://localhost:9092',
    'log.dirs': join(homedir(), '.millrace', 'data'),
    'group.initial.rebalance.delay.ms': '0',
  }
  return new Map(Object.entries(values).map(([name, value]) => [name, { value, source }]))
}

function readSettings(file: string | null, overrides: readonly string[]): Map<string, Property> {
  const settings = file === null ? ownDefaults() : readFile(file)
  try {
    for (const override of overrides) settings.set(...parseOverride(override))
  } catch (error) {
    throw new ConfigError([(error as Error).message])
  }
  return settings
}

function readFile(file: string): Map<string, Property> {
  try {
    return parseProperties(readFileSync(file, 'utf8'), file)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new ConfigError([code === undefined ? message : `cannot read ${file}: ${message}`])
  }
}
