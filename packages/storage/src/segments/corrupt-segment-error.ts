import { ErrorCode, KafkaError } from '@millrace/protocol'

/** What should be the batches or the indexes of a segment is not. */
export class CorruptSegmentError extends KafkaError {
  /** Of the segment. */
  readonly baseOffset: bigint

  constructor(baseOffset: bigint, message: string) {
    super(ErrorCode.CORRUPT_MESSAGE, message)
    this.baseOffset = baseOffset
  }
}
