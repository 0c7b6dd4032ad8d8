/** A batch that must not be rewritten, as its new checksum would call damaged bytes sound. */
export class CorruptBatchError extends Error {
  override readonly name = 'CorruptBatchError'
}
