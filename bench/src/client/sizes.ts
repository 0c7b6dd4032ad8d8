// How long the clients are looked at.

export interface ClientBenchSizes {
  readonly warmUpMs: number
  readonly measuredMs: number
  /** Bytes of values that are consumed, a quarter more to warm up with; whoever takes longer than `consumedMs` is stopped there. */
  readonly consumedBytes: number
  readonly consumedMs: number
  /** Records of librdkafka, which counts where the others look at the clock: bytes of values, too. */
  readonly countedBytes: number
}

export const fullSizes: ClientBenchSizes = {
  // V8 goes on compiling for some seconds, for all clients alike; what runs for long is what users pay for.
  warmUpMs: 5000,
  measuredMs: 4000,
  consumedBytes: 1500e6,
  consumedMs: 6000,
  countedBytes: 600e6,
}

/** For development: the figures mean little. */
export const quickSizes: ClientBenchSizes = {
  warmUpMs: 300,
  measuredMs: 700,
  consumedBytes: 60e6,
  consumedMs: 3000,
  countedBytes: 100e6,
}

const mostConsumed = 10_000_000

/** Records to warm up with, and to measure. */
export function consumedRecords(sizes: ClientBenchSizes, valueBytes: number): { warmUp: number; measured: number } {
  const measured = Math.min(mostConsumed, Math.round(sizes.consumedBytes / valueBytes))
  return { warmUp: Math.ceil(measured / 4), measured }
}
