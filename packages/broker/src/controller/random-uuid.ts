import type { Random } from '@millrace/runtime'

/**
 * A random (version 4) UUID as 22 characters of URL-safe base64: a topic's or a cluster's id. Never one of the reserved ones, nor one that
 * begins with '-', which command lines would take for an option.
 */
export function randomUuid(random: Random): string {
  for (;;) {
    const bytes = Buffer.from(random.bytes(16))
    bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40
    bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
    const text = bytes.toString('base64url')
    if (!text.startsWith('-')) return text
  }
}
