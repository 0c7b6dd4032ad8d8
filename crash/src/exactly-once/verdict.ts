/** Whether the output is what copying exactly once makes of the input. */
import type { DataEntry, LogEntry } from './log-entry.ts'

export interface Evidence {
  /** Values of each partition of the input, in order. */
  readonly input: readonly (readonly string[])[]
  /** The whole log of each partition of the output. */
  readonly log: readonly (readonly LogEntry[])[]
  /** Values of each partition of the output as a read_committed consumer got them. */
  readonly committed: readonly (readonly string[])[]
}

export interface Verdict {
  /** Empty when each record is there exactly once, in order, and every transaction whole. */
  readonly problems: readonly string[]
  readonly committedRecords: number
  readonly abortedRecords: number
  /** Over all partitions. */
  readonly committedTransactions: number
  readonly abortedTransactions: number
  readonly transactionsOverSeveralPartitions: number
}

type Fate = 'committed' | 'aborted' | 'open'

interface Record {
  readonly entry: DataEntry
  fate: Fate
  transaction: string
}

/** Values of one kind of problem in one partition that are told. */
const mostTold = 5

export function judge({ input, log, committed }: Evidence): Verdict {
  const problems: string[] = []
  const records: Record[] = []
  /** Fates by partition, of each transaction. */
  const transactions = new Map<string, Map<number, Set<Fate>>>()
  input.forEach((expected, partition) => {
    const here = resolve(partition, log[partition] ?? [])
    const seen = committed[partition] ?? []
    const kept = here.filter(({ fate }) => fate === 'committed').map(({ entry }) => entry.value)
    for (const problem of [
      ...differences(expected, seen).map((difference) => `output against input: ${difference}`),
      ...differences(kept, seen).map((difference) => `read_committed against the markers: ${difference}`),
      ...told('outside of any transaction', here.filter(({ entry }) => !entry.isTransactional).map(placeOf)),
      ...told('in transactions without an end', here.filter(({ fate }) => fate === 'open').map(placeOf)),
    ])
      problems.push(`${partition}: ${problem}`)
    for (const { transaction, fate } of here) {
      const partitions = transactions.get(transaction) ?? new Map<number, Set<Fate>>()
      transactions.set(transaction, partitions)
      partitions.set(partition, (partitions.get(partition) ?? new Set()).add(fate))
    }
    records.push(...here)
  })
  const ends = [...transactions].map(([name, partitions]) => ({ name, partitions, fates: fatesOf(partitions) }))
  for (const { name, partitions, fates } of ends) {
    if (fates.size === 1) continue
    const parts = [...partitions].map(([partition, set]) => `${partition} ${[...set].join(' and ')}`)
    problems.push(`transaction ${name} is torn: ${parts.join(', ')}`)
  }
  const recordsThatAre = (fate: Fate) => records.filter((record) => record.fate === fate).length
  const transactionsThatAre = (fate: Fate) => ends.filter(({ fates }) => fates.size === 1 && fates.has(fate)).length
  return {
    problems,
    committedRecords: recordsThatAre('committed'),
    abortedRecords: recordsThatAre('aborted'),
    committedTransactions: transactionsThatAre('committed'),
    abortedTransactions: transactionsThatAre('aborted'),
    transactionsOverSeveralPartitions: ends.filter(({ partitions }) => partitions.size > 1).length,
  }
}

const fatesOf = (partitions: ReadonlyMap<number, ReadonlySet<Fate>>): Set<Fate> =>
  new Set([...partitions.values()].flatMap((fates) => [...fates]))

const placeOf = ({ entry }: Record): string => `${entry.value} at ${entry.offset}`

/** A marker ends all that its producer has open in the partition. */
function resolve(partition: number, entries: readonly LogEntry[]): Record[] {
  const records: Record[] = []
  const open = new Map<bigint, Record[]>()
  for (const entry of entries) {
    if (entry.kind === 'data') {
      const fate: Fate = entry.isTransactional ? 'open' : 'committed'
      const record: Record = { entry, fate, transaction: entry.transaction ?? epochName(entry) }
      records.push(record)
      if (!entry.isTransactional) continue
      if (!open.has(entry.producerId)) open.set(entry.producerId, [])
      open.get(entry.producerId)!.push(record)
    } else {
      for (const record of open.get(entry.producerId) ?? []) {
        record.fate = entry.commits ? 'committed' : 'aborted'
        const isNamed = record.entry.transaction !== null || entry.producerEpoch !== record.entry.producerEpoch
        if (!isNamed) record.transaction = `${epochName(entry)} until ${entry.offset} of ${partition}`
      }
      open.delete(entry.producerId)
    }
  }
  return records
}

/**
 * The name of a transaction of a copier that gives it none. Since KIP-890 each has an epoch of its own, and a marker bears the next
 * one; before, an epoch has many transactions, and which of them belong together in several partitions cannot be told.
 */
const epochName = ({ producerId, producerEpoch }: LogEntry): string => `producer ${producerId} epoch ${producerEpoch}`

/** Values that are missing, there too often, or in the wrong place. */
function differences(expected: readonly string[], found: readonly string[]): string[] {
  const times = Map.groupBy(found, (value) => value)
  const wanted = new Set(expected)
  const missing = expected.filter((value) => !times.has(value))
  const repeated = [...times].filter(([, copies]) => copies.length > 1).map(([value]) => value)
  const unknown = [...times.keys()].filter((value) => !wanted.has(value))
  const problems = [told('missing', missing), told('more than once', repeated), told('never written', unknown)].flat()
  if (problems.length > 0) return problems
  const at = expected.findIndex((value, index) => found[index] !== value)
  return at < 0 ? [] : [`out of order: record ${at} is ${found[at]}, expected ${expected[at]}`]
}

const told = (what: string, values: readonly string[]): string[] =>
  values.length === 0
    ? []
    : [`${values.length} ${what}: ${values.slice(0, mostTold).join(', ')}${values.length > mostTold ? ', …' : ''}`]
