/**
 * Bytes that are not what their format says: too short, a negative or oversized length, null where null is not allowed.
 * The peer is broken or hostile; a broker closes the connection.
 */
export class MalformedMessageError extends Error {
  override readonly name = 'MalformedMessageError'
  /** Where reading failed: bytes from where the reader started. */
  readonly position: number
  /** The field being read, such as `Fetch request v12: topics[3].partitions[0].fetchOffset`; empty outside a message. */
  readonly path: string

  constructor(problem: string, position: number, path = '') {
    super(`${path === '' ? '' : `${path}: `}${problem} at byte ${position}`)
    this.position = position
    this.path = path
  }
}
