// All checks on one broker: side by side, as most of their time is waiting, then one by one those that stop brokers.
import { inParallel } from '@millrace/interop/checking'
import { Bench } from './bench.ts'
import type { Check } from './check.ts'
import type { Results } from './results.ts'
import type { Testbed, TestbedKind } from './testbed.ts'

export interface RunOptions {
  readonly directory: string
  readonly results: Results
  /** Checks at a time. */
  readonly parallel: number
}

const defaultTimeoutMs = 150_000

export async function runChecks(kind: TestbedKind, checks: readonly Check[], options: RunOptions): Promise<void> {
  const { results, parallel, directory } = options
  let testbed: Testbed
  try {
    testbed = await kind.open(directory)
  } catch (error) {
    const note = `the broker could not be started: ${(error as Error).message}`
    for (const { section, what } of checks) results.add({ section, what, broker: kind.name, verdict: 'FAIL', note }, 0)
    return
  }
  await using _ = testbed
  const one = (check: Check) => () => runOne(testbed, check, results)
  await inParallel(checks.filter(({ runsAlone }) => runsAlone !== true).map(one), parallel)
  await inParallel(checks.filter(({ runsAlone }) => runsAlone === true).map(one), 1)
}

async function runOne(testbed: Testbed, check: Check, results: Results): Promise<void> {
  const { section, what, needs = [], timeoutMs = defaultTimeoutMs } = check
  const place = { section, what, broker: testbed.name }
  const missing = unfit(check, testbed) ?? testbed.missing(needs)
  if (missing !== null) {
    results.add({ ...place, verdict: 'not supported', note: missing }, 0)
    return
  }
  const startedMs = performance.now()
  const seconds = () => (performance.now() - startedMs) / 1000
  const overdue = new AbortController()
  const timer = setTimeout(() => overdue.abort(new Error(`it took over ${timeoutMs} ms`)), timeoutMs)
  const bench = new Bench(testbed, what, overdue.signal)
  let closing: Promise<void> | null = null
  try {
    const note = await beforeOverdue(check.run(bench), overdue.signal)
    closing = bench[Symbol.asyncDispose]()
    await beforeOverdue(closing, overdue.signal)
    results.add({ ...place, verdict: 'pass', note: note ?? '' }, seconds())
  } catch (error) {
    const where = closing === null ? '' : 'closing: '
    results.add({ ...place, verdict: 'FAIL', note: where + reasonOf(error) }, seconds())
    // What it leaves open would be in the way of others.
    ;(closing ?? bench[Symbol.asyncDispose]()).catch(() => {})
  } finally {
    clearTimeout(timer)
  }
}

function unfit({ needsCluster, needsOneBroker }: Check, { cluster }: Testbed): string | null {
  if (needsCluster === true && cluster === null) return 'there is only one broker'
  if (needsOneBroker === true && cluster !== null) return 'brokers are stopped one by one here'
  return null
}

function beforeOverdue<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error))
    work.then(resolve, reject)
  })
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause instanceof Error ? `; cause: ${error.cause.message}` : ''
  return `${error.name === 'Error' ? '' : `${error.name}: `}${error.message}${cause}`
}
