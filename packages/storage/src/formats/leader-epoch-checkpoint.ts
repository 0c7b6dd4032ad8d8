/**
 * `leader-epoch-checkpoint`: where each leader epoch begins in the log. A text checkpoint (text-checkpoint.ts) of lines
 * `<epoch> <start offset>`, both ascending. Source: Kafka's LeaderEpochCheckpointFile.
 */
import {
  CorruptCheckpointError,
  checkpointInteger,
  decodeTextCheckpoint,
  encodeTextCheckpoint,
} from '../text-checkpoint.ts'

export const leaderEpochCheckpointFile = 'leader-epoch-checkpoint'

export interface EpochStart {
  readonly epoch: number
  readonly startOffset: bigint
}

export function encodeLeaderEpochs(epochs: readonly EpochStart[]): Uint8Array {
  return encodeTextCheckpoint(epochs.map(({ epoch, startOffset }) => `${epoch} ${startOffset}`))
}

/** @throws CorruptCheckpointError. */
export function decodeLeaderEpochs(bytes: Uint8Array, path: string): EpochStart[] {
  return decodeTextCheckpoint(bytes, path, 2).map(([epochText, offsetText]) => {
    const epoch = Number(checkpointInteger(epochText, path))
    const startOffset = checkpointInteger(offsetText, path)
    if (epoch < 0 || epoch > 0x7fffffff || startOffset < 0n)
      throw new CorruptCheckpointError(`${path}: expected an epoch and an offset, got "${epochText} ${offsetText}"`)
    return { epoch, startOffset }
  })
}
