/** What stands in a partition's log, markers included. */

export interface DataEntry {
  readonly kind: 'data'
  readonly offset: bigint
  readonly value: string
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly isTransactional: boolean
  /** The copier's own name for the transaction, from the record's header `transaction`; null without one. */
  readonly transaction: string | null
}

export interface MarkerEntry {
  readonly kind: 'marker'
  readonly offset: bigint
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly commits: boolean
}

export type LogEntry = DataEntry | MarkerEntry
