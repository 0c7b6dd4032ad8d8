/** Between the run and the process in which the client lives. */

export interface RoundOrder {
  readonly round: number
  readonly bootstrap: string
  /** Everything that clients do, or one question and one record, which must succeed though the first connection ends early. */
  readonly work: 'everything' | 'little'
  /** Nobody is hostile: everything must succeed. */
  readonly isPeaceful: boolean
}

export interface RoundReport {
  readonly round: number
  /** What hung, what failed with an error that is none of ours, what was read though nobody wrote it. */
  readonly bugs: readonly string[]
  /** How operations ended, with counts. */
  readonly endings: Readonly<Record<string, number>>
  readonly residentBytes: number
}
