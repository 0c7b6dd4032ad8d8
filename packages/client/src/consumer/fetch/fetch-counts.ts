/** Who counts what fetches bring. */
export interface FetchCounts {
  /** A fetch was answered, whatever the answer says. */
  answered(answer: Fetched): void
  /** Records of an answer; not called for one that has none. As the batches have them: some may be of aborted transactions, or not asked for. */
  brought(recordsCount: number): void
  /** The part of that of one topic. */
  broughtOf(topic: string, part: { readonly sizeBytes: number; readonly recordsCount: number }): void
}

export interface Fetched {
  readonly sizeBytes: number
  readonly latencyMs: number
  readonly throttleTimeMs: number
}
