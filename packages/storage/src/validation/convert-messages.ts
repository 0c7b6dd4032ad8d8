/** Magic 0 and 1, as Produce versions 0-2 may carry them: checked and put into one batch of magic 2. */
import { ErrorCode, forEachBatch, magicOf, readMessages, RecordBatchBuilder } from '@millrace/protocol'
import { invalid } from './analyze-batches.ts'
import { checkRecord } from './check-records.ts'
import { RecordErrors } from './record-errors.ts'
import type { ValidationRules } from './validated-batches.ts'

export interface ConversionOptions {
  readonly wholeBytes: number
  readonly targetCompression: number
  readonly compressionLevel: number | undefined
  readonly maxDecompressedBytes: number
}

/**
 * The converted batch; records keep their timestamps (-1 from magic 0), offsets are new.
 * @throws KafkaError INVALID_RECORD, CORRUPT_MESSAGE, MESSAGE_TOO_LARGE; RecordValidationError.
 */
export function convertMessages(bytes: Uint8Array, rules: ValidationRules, options: ConversionOptions): Uint8Array {
  const magic = magicOf(bytes, 0)
  const isStamped = rules.config.messageTimestampType === 'LogAppendTime'
  const builder = new RecordBatchBuilder({
    compression: options.targetCompression,
    ...(options.compressionLevel === undefined ? {} : { compressionLevel: options.compressionLevel }),
    ...(isStamped ? { timestampType: 'LogAppendTime', logAppendTime: BigInt(rules.nowMs) } : {}),
  })
  const add = (at: number) => {
    if (magicOf(bytes, at) !== magic)
      throw invalid(rules, `the message at ${at} has magic ${magicOf(bytes, at)}, the first one has ${magic}`)
    const errors = new RecordErrors(rules)
    let index = 0
    for (const message of readMessages(bytes, at, options.maxDecompressedBytes)) {
      if (message.magic !== magic)
        errors.add(ErrorCode.INVALID_RECORD, index, `it has magic ${message.magic}, the message around it ${magic}`)
      else checkRecord(errors, { index, ...message, hasKey: message.key !== null }, rules)
      // The first bad record decides; the rest are only looked at for their errors.
      if (errors.isEmpty) builder.append(message)
      index++
    }
    errors.throwIfAny()
  }
  forEachBatch(bytes, add, 0, options.wholeBytes)
  return builder.build()
}
