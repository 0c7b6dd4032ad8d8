/**
 * What operations on many things promise: one result for each thing, in the order asked; when any of them failed, they throw. Whoever can do
 * with a part of it asks by `settled`.
 */
import { KafkaError } from '@millrace/protocol'

/** A result for each of `Things`: as many as were asked for, so that `const [topic] = await admin.describeTopics(['a'])` is no guess. */
export type EachOf<Things extends readonly unknown[], Result> = { readonly [Index in keyof Things]: Result }

/** What `Things` are inferred from: a list of them, however long, in which the compiler knows each. */
export type ListOf<Things extends readonly unknown[], Thing> = readonly [...{ [Index in keyof Things]: Thing }]

/** What became of one thing. */
export type Outcome<Result> = { readonly value: Result } | { readonly error: KafkaError }

/** Some things of many failed. Its code is that of the first failure; `results` has what became of each, in the order asked. */
export class PartialFailure extends KafkaError {
  // Not shown by console.log: what failed is in the message.
  readonly #results: readonly PromiseSettledResult<unknown>[]

  constructor(operation: string, results: readonly PromiseSettledResult<unknown>[]) {
    const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as KafkaError] : []))
    const [first] = failures as [KafkaError]
    super(first.code, `${operation}: ${failures.length} of ${results.length} failed: ${summary(failures)}`, {
      cause: first,
    })
    this.#results = results
  }

  get results(): readonly PromiseSettledResult<unknown>[] {
    return this.#results
  }
}

/** Failures named in the message. */
const NAMED_FAILURES = 5

function summary(failures: readonly KafkaError[]): string {
  const named = failures.slice(0, NAMED_FAILURES).map((failure) => failure.message)
  if (failures.length > NAMED_FAILURES) named.push(`and ${failures.length - NAMED_FAILURES} more`)
  return named.join('; ')
}

/** The results. @throws what failed, when it is the only thing asked for; else PartialFailure. */
export function resultsOf<Result>(operation: string, outcomes: readonly Outcome<Result>[]): readonly Result[] {
  const failed = outcomes.find((outcome) => 'error' in outcome)
  if (failed === undefined) return outcomes.map((outcome) => (outcome as { value: Result }).value)
  if (outcomes.length === 1) throw (failed as { error: KafkaError }).error
  throw new PartialFailure(
    operation,
    outcomes.map((outcome) =>
      'error' in outcome
        ? { status: 'rejected', reason: outcome.error }
        : { status: 'fulfilled', value: outcome.value },
    ),
  )
}

/**
 * What became of each thing of an operation on many, as `Promise.allSettled` would tell: `await settled(admin.deleteTopics(['a', 'b']))`.
 * Throws only what concerns all of them alike, such as an aborted signal.
 */
export async function settled<Results extends readonly unknown[]>(
  operation: Promise<Results>,
): Promise<{ readonly [Index in keyof Results]: PromiseSettledResult<Results[Index]> }> {
  type Each = { readonly [Index in keyof Results]: PromiseSettledResult<Results[Index]> }
  try {
    const results = await operation
    return results.map((value) => ({ status: 'fulfilled', value })) as unknown as Each
  } catch (error) {
    if (error instanceof PartialFailure) return error.results as unknown as Each
    // A thing asked for alone failed with an error of its own.
    if (error instanceof KafkaError) return [{ status: 'rejected', reason: error }] as unknown as Each
    throw error
  }
}
