/** The broker under test: always on the same port and data, however often it is killed. */
import type { BrokerKind, RunningBroker } from '@millrace/interop/brokers'
import { setTimeout as sleep } from 'node:timers/promises'

const startTimeoutMs = 120_000

export class BrokerUnderKills implements AsyncDisposable {
  readonly #kind: BrokerKind
  readonly #port: number
  readonly #dataDirectory: string
  #running: RunningBroker | null = null
  kills = 0

  constructor(kind: BrokerKind, port: number, dataDirectory: string) {
    this.#kind = kind
    this.#port = port
    this.#dataDirectory = dataDirectory
  }

  get lastOutput(): string {
    return this.#running?.output() ?? ''
  }

  async start(): Promise<void> {
    this.#running = await this.#kind.start({ dataDirectory: this.#dataDirectory, port: this.#port, properties })
    await this.#running.ready(startTimeoutMs)
  }

  /** SIGKILL, and a start `downMs` later. */
  async killAndRestart(downMs: number): Promise<void> {
    this.kills++
    await this.#running?.kill()
    await sleep(downMs)
    await this.start()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#running?.kill()
  }
}

/** What would only make the run longer is shortened: waiting for more members, for dead ones, and for transactions that take too long. */
const properties = {
  'group.initial.rebalance.delay.ms': '500',
  'group.consumer.min.session.timeout.ms': '6000',
  'group.consumer.session.timeout.ms': '6000',
  'group.consumer.min.heartbeat.interval.ms': '1000',
  'group.consumer.heartbeat.interval.ms': '1000',
  'transaction.abort.timed.out.transaction.cleanup.interval.ms': '2000',
}
