/** Where a transactional id stands. Names are those tools are told, numbers those in the log. Source: Kafka's TransactionState. */

const numbers = {
  Empty: 0,
  Ongoing: 1,
  PrepareCommit: 2,
  PrepareAbort: 3,
  CompleteCommit: 4,
  CompleteAbort: 5,
} as const

export type TransactionState = keyof typeof numbers

/** Kafka has two more that are never in its log; here nothing is ever in them. A filter may name them. */
const neverLogged: readonly string[] = ['Dead', 'PrepareEpochFence']

const byNumber = new Map(Object.entries(numbers).map(([name, number]) => [number, name as TransactionState]))

export function stateNumber(state: TransactionState): number {
  return numbers[state]
}

/** @throws Error for a number that no state has. */
export function stateOf(number: number): TransactionState {
  const state = byNumber.get(number as never)
  if (state === undefined) throw new Error(`transaction state ${number} does not exist, expected 0 to 5`)
  return state
}

/** Whether a filter may name it. */
export function isStateName(name: string): boolean {
  return Object.hasOwn(numbers, name) || neverLogged.includes(name)
}

/** The outcome is decided and in the log; markers are being written. */
export function isPrepared(state: TransactionState): boolean {
  return state === 'PrepareCommit' || state === 'PrepareAbort'
}

/** No transaction is open: a new one may begin, and the transactional id may be forgotten. */
export function isIdle(state: TransactionState): boolean {
  return state === 'Empty' || state === 'CompleteCommit' || state === 'CompleteAbort'
}
