import type { Random } from '@millrace/runtime'

/** Members of the newer protocols name themselves (KIP-1082): a random UUID of version 4, as Kafka writes them. */
export function newMemberId(random: Random): string {
  const bytes = Uint8Array.from(random.bytes(16))
  bytes[6] = (bytes[6]! & 0x0f) | 0x40
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  return Buffer.from(bytes).toString('base64url')
}
