import { parseArgs } from 'node:util'
import { apacheKafka } from './brokers/apache-kafka.ts'
import type { BrokerKind } from './brokers/broker.ts'
import { millrace, millraceInstalled } from './brokers/millrace.ts'

export interface Options {
  readonly broker: BrokerKind
  /** Names of clients, or null for all. */
  readonly only: ReadonlySet<string> | null
  readonly list: boolean
}

const brokers: readonly BrokerKind[] = [millrace, millraceInstalled, apacheKafka]

/** @throws Error with what is wrong in the arguments. */
export function parseOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      broker: { type: 'string', default: millrace.name },
      only: { type: 'string' },
      list: { type: 'boolean', default: false },
    },
  })
  const broker = brokers.find(({ name }) => name === values.broker)
  if (broker === undefined) throw new Error(`--broker is one of ${brokers.map(({ name }) => name).join(', ')}`)
  return { broker, only: values.only === undefined ? null : new Set(values.only.split(',')), list: values.list }
}
