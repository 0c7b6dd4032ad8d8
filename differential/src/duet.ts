/** One client that is connected to both brokers and says the same to each. */
import { setTimeout as delay } from 'node:timers/promises'
import {
  encodeRequestFrame,
  Reader,
  readResponseHeader,
  type Api,
  type RequestInput,
  type Response,
} from '@millrace/protocol'
import { RawClient } from '@millrace/broker/testing'
import { AnswerComparison, type Difference } from './answers.ts'
import { fit } from './fit.ts'
import type { Identities, Side } from './identities.ts'

export interface Ports {
  readonly kafka: number
  readonly ours: number
}

/** What went over the wire, in the names of both. */
export interface Exchange {
  readonly client: string
  readonly api: string
  readonly version: number
  readonly request: object
  answer: object | 'closed' | 'no answer' | null
  differences: readonly Difference[]
}

/** How long an answer may take that one broker has given, or that must come. */
const patienceMs = 30_000
/** A request that neither broker has answered by then, other requests having overtaken it, is taken to wait. */
const parkedAfterMs = 10

type Outcome = object | 'closed' | 'no answer'

const sides = ['kafka', 'ours'] as const

export interface Journal {
  readonly identities: Identities
  add(exchange: Exchange): void
  /** Whether a group is one of this scenario. */
  isOwn?(name: string): boolean
}

export class Duet {
  readonly name: string
  readonly #clients: Readonly<Record<Side, RawClient>>
  readonly #journal: Journal

  private constructor(name: string, clients: Readonly<Record<Side, RawClient>>, journal: Journal) {
    this.name = name
    this.#clients = clients
    this.#journal = journal
  }

  static async open(name: string, ports: Ports, journal: Journal): Promise<Duet> {
    const [kafka, ours] = await Promise.all([RawClient.open(ports.kafka), RawClient.open(ports.ours)])
    return new Duet(name, { kafka, ours }, journal)
  }

  get isClosed(): boolean {
    return this.#clients.kafka.isClosed || this.#clients.ours.isClosed
  }

  close(): void {
    this.#clients.kafka.close()
    this.#clients.ours.close()
  }

  /** Asks both and waits for both. Returns the answer in the names of both; Kafka's where they differ. */
  async ask<A extends Api>(api: A, version: number, request: RequestInput<A>): Promise<Response<A>> {
    return this.send(api, version, request).answer()
  }

  /**
   * Asks each broker again until its answer is `done`: for what it does in its own time. Only the last answers are held against each other.
   */
  async askUntil<A extends Api>(
    api: A,
    version: number,
    request: RequestInput<A>,
    done: (answer: Response<A>) => boolean,
    withinMs = patienceMs,
  ): Promise<Response<A>> {
    const fitted = fit(api.request.fields, request as object, version)
    const deadline = performance.now() + withinMs
    const pending = this.#send(api, version, fitted, undefined, async (side, answer) => {
      for (;;) {
        const outcome = await answer
        if (outcome === null || typeof outcome === 'string' || done(outcome as Response<A>)) return outcome
        if (performance.now() > deadline) return outcome
        await delay(10)
        this.#write(side, api, version, this.#journal.identities.resolve(fitted, side))
        answer = pending.nextFrom(side)
      }
    })
    this.#journal.add(pending.exchange)
    return pending.answer()
  }

  /** For requests that carry ids inside of bytes: `build` makes one for each broker, `shown` stands for it in the journal. */
  async askBuilt<A extends Api>(
    api: A,
    version: number,
    build: (resolve: <Value>(value: Value) => Value) => RequestInput<A>,
    shown: object,
  ): Promise<Response<A>> {
    const pending = this.#send(api, version, shown, (side) =>
      fit(api.request.fields, build((value) => this.#journal.identities.resolve(value, side)) as object, version),
    )
    this.#journal.add(pending.exchange)
    return pending.answer()
  }

  send<A extends Api>(api: A, version: number, request: RequestInput<A>): Pending<A> {
    const pending = this.#send(api, version, fit(api.request.fields, request as object, version))
    this.#journal.add(pending.exchange)
    return pending
  }

  #send<A extends Api>(
    api: A,
    version: number,
    request: object,
    build = (side: Side) => this.#journal.identities.resolve(request, side),
    insist: Insist = (_side, answer) => answer,
  ): Pending<A> {
    const exchange: Exchange = { client: this.name, api: api.name, version, request, answer: null, differences: [] }
    for (const side of sides) this.#write(side, api, version, build(side))
    return new Pending(api, exchange, this.#clients, this.#journal, insist)
  }

  #write(side: Side, api: Api, version: number, request: object): void {
    const frame = encodeRequestFrame(api, version, 7, this.name, request as RequestInput<Api>)
    this.#clients[side].write(Buffer.concat(frame))
  }
}

/** Gets the first answer of a broker and gives the one that counts. */
type Insist = (side: Side, answer: Promise<Outcome>) => Promise<Outcome>

/** A request on its way to both brokers. */
export class Pending<A extends Api> {
  readonly #api: A
  readonly exchange: Exchange
  readonly #clients: Readonly<Record<Side, RawClient>>
  readonly #journal: Journal
  readonly #outcomes: { kafka: Outcome | null; ours: Outcome | null } = { kafka: null, ours: null }
  readonly #arrivals: readonly Promise<void>[]
  readonly #settled: Promise<Response<A> | 'closed' | 'no answer'>

  constructor(
    api: A,
    exchange: Exchange,
    clients: Readonly<Record<Side, RawClient>>,
    journal: Journal,
    insist: Insist,
  ) {
    this.#api = api
    this.exchange = exchange
    this.#clients = clients
    this.#journal = journal
    const receive = async (side: Side) => {
      this.#outcomes[side] = await insist(side, this.nextFrom(side))
    }
    this.#arrivals = sides.map(receive)
    this.#settled = this.#settle()
  }

  /** False as soon as one broker has answered. Let other requests be answered before asking. */
  async isParked(): Promise<boolean> {
    if (this.#hasArrived()) return false
    await Promise.race([...this.#arrivals, delay(parkedAfterMs)])
    return !this.#hasArrived()
  }

  /** What one of them answered, in its own ids; null when it did not. */
  received(side: Side): Response<A> | null {
    const outcome = this.#outcomes[side]
    return outcome === null || typeof outcome === 'string' ? null : (outcome as Response<A>)
  }

  get isSettled(): boolean {
    return this.exchange.answer !== null
  }

  /** Once one broker has answered, waits for the other. True when both have. */
  async settleIfAnswered(): Promise<boolean> {
    if (!this.#hasArrived()) return false
    await this.#settled
    return true
  }

  /** The answer of both. @throws Error when there is none from Kafka. */
  async answer(): Promise<Response<A>> {
    const timeUp = Promise.withResolvers<void>()
    const timer = setTimeout(timeUp.resolve, 2 * patienceMs)
    await Promise.race([...this.#arrivals, timeUp.promise])
    clearTimeout(timer)
    if (!this.#hasArrived())
      throw new Error(`neither broker answers ${this.#api.name} version ${this.exchange.version}`)
    const answer = await this.#settled
    if (typeof answer === 'string')
      throw new Error(`to ${this.#api.name} version ${this.exchange.version} Kafka answers: ${answer}`)
    return answer
  }

  /** Like `answer`, where an end of the connection is expected. */
  async outcome(): Promise<Response<A> | 'closed' | 'no answer'> {
    return this.#settled
  }

  #hasArrived(): boolean {
    return this.#outcomes.kafka !== null || this.#outcomes.ours !== null
  }

  /** The next answer of one broker. */
  async nextFrom(side: Side): Promise<Outcome> {
    const frame = await this.#clients[side].frame(600_000)
    return frame === 'silent' ? 'no answer' : frame === 'closed' ? frame : this.#decode(frame)
  }

  #decode(frame: Buffer): object {
    const reader = new Reader(frame)
    readResponseHeader(reader, this.#api, this.exchange.version)
    return this.#api.response.decode(reader, this.exchange.version)
  }

  async #settle(): Promise<Response<A> | 'closed' | 'no answer'> {
    await Promise.race(this.#arrivals)
    const timeUp = Promise.withResolvers<void>()
    const timer = setTimeout(timeUp.resolve, patienceMs)
    await Promise.race([Promise.all(this.#arrivals), timeUp.promise])
    clearTimeout(timer)
    const kafka = this.#outcomes.kafka ?? 'no answer'
    const ours = this.#outcomes.ours ?? 'no answer'
    if (typeof kafka === 'string' || typeof ours === 'string') {
      if (kafka !== ours) this.exchange.differences = [{ path: '', kafka, ours }]
      this.exchange.answer = kafka
      return kafka as Response<A> | 'closed' | 'no answer'
    }
    const comparison = new AnswerComparison(`${this.#api.name} response`, this.#journal.identities, (name) =>
      this.#journal.isOwn === undefined ? true : this.#journal.isOwn(name),
    )
    const answer = comparison.struct(this.#api.response.fields, kafka, ours)
    this.exchange.differences = comparison.differences
    this.exchange.answer = answer
    return answer as Response<A>
  }
}
