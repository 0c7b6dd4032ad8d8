/**
 * The text form shared by Kafka's checkpoint files (`leader-epoch-checkpoint`, `recovery-point-offset-checkpoint`,
 * `replication-offset-checkpoint`, `log-start-offset-checkpoint`, `cleaner-offset-checkpoint`):
 *
 *     0\n            version
 *     <count>\n      number of entries
 *     <entry>\n      fields separated by one space, one entry per line
 *
 * A reader accepts the file only when the version is 0 and exactly `count` lines follow; so a torn file is noticed. The file is
 * replaced as a whole (`Disk.replaceFile`). Source: Kafka's CheckpointFile.
 */

/** The file is not what the format allows: torn, edited, or of another version. The data it sums up must be rebuilt or reset. */
export class CorruptCheckpointError extends Error {
  override readonly name = 'CorruptCheckpointError'
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** `lines` without line ends, in the order they are to be written. */
export function encodeTextCheckpoint(lines: readonly string[]): Uint8Array {
  return encoder.encode(lines.length === 0 ? '0\n0\n' : `0\n${lines.length}\n${lines.join('\n')}\n`)
}

/**
 * The fields of every line. `path` is for messages only.
 * @throws CorruptCheckpointError with the line that is wrong.
 */
export function decodeTextCheckpoint(bytes: Uint8Array, path: string, fieldsPerLine: number): string[][] {
  const lines = decoder.decode(bytes).split('\n')
  if (lines[0]?.trim() !== '0')
    throw new CorruptCheckpointError(`${path}: expected version 0 in line 1, got ${JSON.stringify(lines[0])}`)
  const count = Number(lines[1])
  if (!/^\d+$/.test(lines[1]?.trim() ?? '') || !Number.isSafeInteger(count))
    throw new CorruptCheckpointError(
      `${path}: expected the number of entries in line 2, got ${JSON.stringify(lines[1])}`,
    )
  if (lines.at(-1) === '') lines.pop()
  if (lines.length - 2 !== count)
    throw new CorruptCheckpointError(`${path}: expected ${count} entries, got ${lines.length - 2}`)
  return lines.slice(2).map((line, index) => {
    const fields = line.trim().split(/\s+/)
    if (fields.length !== fieldsPerLine)
      throw new CorruptCheckpointError(
        `${path}: expected ${fieldsPerLine} fields in line ${index + 3}, got ${JSON.stringify(line)}`,
      )
    return fields
  })
}

/** A decimal offset, epoch or partition number. @throws CorruptCheckpointError. */
export function checkpointInteger(text: string | undefined, path: string): bigint {
  if (text === undefined || !/^-?\d{1,19}$/.test(text))
    throw new CorruptCheckpointError(`${path}: expected an integer, got ${JSON.stringify(text)}`)
  return BigInt(text)
}
