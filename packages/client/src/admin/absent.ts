/** Values that stand for none on the wire. */
import { ZERO_UUID } from '@millrace/protocol'

export function idOrNull(id: string): string | null {
  return id === ZERO_UUID ? null : id
}

/** Milliseconds since the epoch. */
export function timeOrNull(timestamp: bigint): number | null {
  return timestamp < 0n ? null : Number(timestamp)
}

export function epochOrNull(epoch: number): number | null {
  return epoch < 0 ? null : epoch
}

export function offsetOrNull(offset: bigint): bigint | null {
  return offset < 0n ? null : offset
}
