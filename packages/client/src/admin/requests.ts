/**
 * How the admin's operations ask: things are gathered by the broker that has to be asked about them, answers come back thing by thing, and what
 * may succeed later is asked for again, elsewhere if it has moved, until it is done or the time is over.
 */
import { defaultErrorMessage, ErrorCode, KafkaError } from '@millrace/protocol'
import type { Api, RequestInput, Response } from '@millrace/protocol'
import type { Cluster } from '../cluster/cluster.ts'
import type { Destination } from '../cluster/destination.ts'
import { explained } from './kafka-versions.ts'
import { resultsOf, type EachOf, type ListOf, type Outcome } from './partial-failure.ts'
import type { Route, Routing } from './routing.ts'

export interface CallOptions {
  /** Gives up, with the signal's reason. What a broker has begun it goes on with. */
  readonly signal?: AbortSignal | undefined
  /** For the operation with all its attempts. Default: `defaultApiTimeoutMs`. */
  readonly timeoutMs?: number | undefined
}

/** One attempt at an operation. */
export interface Attempt {
  readonly signal: AbortSignal
  /** How long a broker may take: for requests that carry a time-out. */
  readonly timeoutMs: number
  readonly send: <A extends Api>(
    destination: Destination,
    api: A,
    request: RequestInput<A> | ((version: number) => RequestInput<A>),
    options?: { readonly maxVersion?: number },
  ) => Promise<Response<A>>
}

/** An operation on many things. */
export interface Plan<Thing, Result> {
  /** For messages, as the user called it. */
  readonly operation: string
  readonly routing: Routing<Thing>
  /** Things that must not share a request have different ones. */
  readonly apart?: (thing: Thing, index: number) => string | number
  /** Codes besides `routing.moved` after which a thing is asked for again. */
  readonly retried?: ReadonlySet<number>
  /** An outcome for each of `things`, in that order. Throws only when there was no answer. */
  readonly ask: (
    attempt: Attempt,
    destination: Destination,
    things: readonly Thing[],
  ) => Promise<readonly Outcome<Result>[]>
}

interface Group<Thing> {
  readonly destination: Destination
  readonly indexes: number[]
  readonly things: Thing[]
}

/** What is asked for in one attempt. */
interface Round<Thing, Result> {
  readonly attempt: Attempt
  readonly things: readonly Thing[]
  readonly indexes: readonly number[]
  /** `isLost`: the request or its answer was, so that asking again makes sense. */
  readonly settle: (index: number, outcome: Outcome<Result>, isLost?: boolean) => void
}

export class AdminRequests {
  readonly cluster: Cluster

  constructor(cluster: Cluster) {
    this.cluster = cluster
  }

  /** An operation that succeeds or fails as a whole: `work` is repeated while it throws what is retriable. */
  one<T>(operation: string, options: CallOptions, work: (attempt: Attempt) => Promise<T>): Promise<T> {
    const { settings, world, metadata } = this.cluster
    const totalMs = options.timeoutMs ?? settings.defaultApiTimeoutMs
    const deadlineMs = world.clock.monotonicMs() + totalMs
    return this.cluster.withRetries(
      operation,
      async (signal) => {
        try {
          return await work(this.#attempt(signal, deadlineMs))
        } catch (error) {
          if (error instanceof KafkaError && error.code === ErrorCode.NOT_CONTROLLER) metadata.refreshSoon()
          throw error
        }
      },
      { timeoutMs: totalMs, signal: options.signal },
    )
  }

  /** An operation on each of `things`. @throws as `resultsOf` does. */
  async each<Things extends readonly unknown[], Thing, Result>(
    plan: Plan<Thing, Result>,
    things: ListOf<Things, Thing>,
    options: CallOptions,
  ): Promise<EachOf<Things, Result>> {
    const outcomes = await this.outcomes(plan, things as readonly Thing[], options)
    return resultsOf(plan.operation, outcomes) as EachOf<Things, Result>
  }

  /** As `each`, for those who go on with what succeeded. @throws TypeError for what is no list; the reason of an aborted signal; bugs. */
  async outcomes<Thing, Result>(
    plan: Plan<Thing, Result>,
    things: readonly Thing[],
    options: CallOptions,
  ): Promise<readonly Outcome<Result>[]> {
    if (!Array.isArray(things))
      throw new TypeError(`${plan.operation} expects a list, but got ${JSON.stringify(things)}`)
    const outcomes: (Outcome<Result> | undefined)[] = things.map(() => undefined)
    /** Why a thing has to be asked for again. */
    const reasons = new Map<number, KafkaError>()
    const open = (): number[] => things.flatMap((_, index) => (outcomes[index] === undefined ? [index] : []))
    const settle: Round<Thing, Result>['settle'] = (index, outcome, isLost = false) => {
      if ('error' in outcome && (this.#hasMoved(plan, things[index]!, outcome.error) || isLost))
        reasons.set(index, outcome.error)
      else outcomes[index] = outcome
    }
    if (things.length === 0) return []
    using _watched = plan.routing.watch?.(this.cluster, things)
    try {
      await this.one(plan.operation, options, async (attempt) => {
        await this.#askAll(plan, { attempt, things, indexes: open(), settle })
        const [left] = open()
        if (left !== undefined) throw notDone(reasons.get(left)!)
      })
    } catch (error) {
      if (!(error instanceof KafkaError)) throw error
      for (const index of open()) outcomes[index] = { error: gaveUp(error, reasons.get(index)) }
    }
    return outcomes as Outcome<Result>[]
  }

  async #askAll<Thing, Result>(plan: Plan<Thing, Result>, round: Round<Thing, Result>): Promise<void> {
    const groups = await this.#grouped(plan, round)
    await Promise.all(
      groups.map(async ({ destination, indexes, things }) => {
        try {
          const outcomes = await plan.ask(round.attempt, destination, things)
          for (const [at, index] of indexes.entries()) round.settle(index, outcomes[at]!)
        } catch (error) {
          if (!(error instanceof KafkaError)) throw error
          for (const index of indexes) round.settle(index, { error }, error.retriable)
        }
      }),
    )
  }

  /** The things by the broker to ask; those whose broker cannot be found are settled. */
  async #grouped<Thing, Result>(
    plan: Plan<Thing, Result>,
    { attempt, things, indexes, settle }: Round<Thing, Result>,
  ): Promise<readonly Group<Thing>[]> {
    const groups = new Map<string, Group<Thing>>()
    const asked = indexes.map((index) => things[index]!)
    let routes: readonly Outcome<Route>[]
    try {
      routes = await plan.routing.find(this.cluster, asked, attempt.signal)
    } catch (error) {
      if (!(error instanceof KafkaError)) throw error
      routes = asked.map(() => ({ error }))
    }
    for (const [at, route] of routes.entries()) {
      const index = indexes[at]!
      if ('error' in route) {
        settle(index, route, route.error.retriable)
        continue
      }
      const { key, destination } = route.value
      const thing = asked[at]!
      const name = plan.apart === undefined ? key : `${key} ${plan.apart(thing, index)}`
      const group = groups.get(name) ?? { destination, indexes: [], things: [] }
      group.indexes.push(index)
      group.things.push(thing)
      groups.set(name, group)
    }
    return [...groups.values()]
  }

  #hasMoved<Thing>({ routing, retried }: Plan<Thing, unknown>, thing: Thing, { code }: KafkaError): boolean {
    if (!routing.moved.has(code)) return retried?.has(code) ?? false
    routing.lost(this.cluster, thing)
    return true
  }

  #attempt(signal: AbortSignal, deadlineMs: number): Attempt {
    const { settings, world } = this.cluster
    const leftMs = Math.ceil(deadlineMs - world.clock.monotonicMs())
    const timeoutMs = Math.max(1, Math.min(settings.requestTimeoutMs, leftMs))
    return {
      signal,
      timeoutMs,
      send: async (destination, api, request, options) => {
        let refusal: unknown = null
        const build: typeof request =
          typeof request !== 'function'
            ? request
            : (version) => {
                try {
                  return request(version)
                } catch (error) {
                  refusal = error
                  throw error
                }
              }
        try {
          return await this.cluster.send(destination, api, build, { signal, timeoutMs, ...options })
        } catch (error) {
          throw error === refusal ? error : explained(error, api)
        }
      },
    }
  }
}

/** Has the attempt repeated, whatever code a broker uses to ask for that. */
function notDone(reason: KafkaError): KafkaError {
  return reason.retriable ? reason : new KafkaError(ErrorCode.REQUEST_TIMED_OUT, reason.message, { cause: reason })
}

/** The end of all attempts, told of one thing: what the brokers said of it last. */
function gaveUp(error: KafkaError, reason: KafkaError | undefined): KafkaError {
  if (reason === undefined || reason.code === error.code) return error
  return new KafkaError(reason.code, `${reason.message} (gave up: ${error.message})`, { cause: reason })
}

/** What a broker's error code says of `about`, or the value it stands before. */
export function outcome<Result>(
  about: string,
  answer: { readonly errorCode: number; readonly errorMessage?: string | null },
  value: () => Result,
): Outcome<Result> {
  if (answer.errorCode === ErrorCode.NONE) return { value: value() }
  return { error: failure(about, answer) }
}

/** @throws KafkaError when the answer has an error code. */
export function check(
  about: string,
  answer: { readonly errorCode: number; readonly errorMessage?: string | null },
): void {
  if (answer.errorCode !== ErrorCode.NONE) throw failure(about, answer)
}

export function failure(
  about: string,
  { errorCode, errorMessage }: { readonly errorCode: number; readonly errorMessage?: string | null },
): KafkaError {
  return new KafkaError(errorCode, `${about}: ${errorMessage ?? defaultErrorMessage(errorCode)}`)
}

/** The broker answered, but said nothing of `about`. */
export function unanswered(about: string): Outcome<never> {
  return { error: new KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, `${about}: the broker's answer says nothing of it`) }
}

/** The answers to `things` by their keys, for answers in an order of their own. */
export function matched<Thing, Answer, Result>(
  things: readonly Thing[],
  answers: Iterable<readonly [key: string, answer: Answer]>,
  options: {
    readonly keyOf: (thing: Thing) => string
    readonly about: (thing: Thing) => string
    readonly outcome: (answer: Answer, thing: Thing) => Outcome<Result>
  },
): readonly Outcome<Result>[] {
  const byKey = new Map(answers)
  return things.map((thing) => {
    const answer = byKey.get(options.keyOf(thing))
    return answer === undefined ? unanswered(options.about(thing)) : options.outcome(answer, thing)
  })
}

/** An answer that says the same of all `things`. */
export function allFailed<Thing>(
  things: readonly Thing[],
  about: (thing: Thing) => string,
  answer: { readonly errorCode: number; readonly errorMessage?: string | null },
): readonly Outcome<never>[] {
  return things.map((thing) => ({ error: failure(about(thing), answer) }))
}
