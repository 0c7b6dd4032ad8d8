/** Chance as the rest of the house sees it. Nothing outside this package asks the system for randomness. */
export interface Random {
  /** Uniform in [0, 1). Not for secrets. */
  next(): number
  /** Uniform integer in [0, bound), `bound` from 1 to 2^31. Not for secrets. */
  integer(bound: number): number
  /** `length` bytes from the system's cryptographic generator (seeded and predictable when simulated). For ids and nonces. */
  bytes(length: number): Uint8Array
}
