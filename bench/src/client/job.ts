// What a client program is asked to do, and what it reports.

/** `arrays`: 5 in flight; `concurrent`: 200 single sends at a time; `singles`: one awaited after another; `consume`: from the beginning. */
export type LoadKind = 'arrays' | 'concurrent' | 'singles' | 'consume'

export interface Job {
  readonly kind: LoadKind
  readonly bootstrap: string
  /** Has one partition. */
  readonly topic: string
  /** Of each value; records have no key. */
  readonly valueBytes: number
  /** How the client is to be used, where it has several ways. */
  readonly variant: string
  /** Of producing: time to warm up with. */
  readonly warmUpMs: number
  /** Time to measure, of consuming the longest. */
  readonly measuredMs: number
  /** Of consuming: records to warm up with, and to measure. */
  readonly warmUpRecords: number
  readonly measuredRecords: number
}

export interface Report {
  readonly records: number
  readonly seconds: number
  /** User and system time of the process, all threads, over the measured records. */
  readonly cpuSeconds: number
  readonly peakBytes: number
}

export const arrayBytes = 250_000
export const arraysInFlight = 5
export const concurrentSends = 200
