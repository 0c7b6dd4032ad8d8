/** What failed of operations on many things. */
import { PartialFailure } from '@millrace/client'
import { KafkaJSProtocolError } from '../errors.ts'
import { translateError } from '../translate-error.ts'

/** By the index of what was asked for: its error. @throws what concerns all alike. */
export async function failuresOf(operation: Promise<readonly unknown[]>): Promise<ReadonlyMap<number, Error>> {
  try {
    await operation
    return new Map()
  } catch (error) {
    if (!(error instanceof PartialFailure)) {
      const translated = translateError(error)
      if (translated instanceof KafkaJSProtocolError) return new Map([[0, translated]])
      throw translated
    }
    return new Map(
      error.results.flatMap((result, index) =>
        result.status === 'rejected' ? [[index, translateError(result.reason)] as const] : [],
      ),
    )
  }
}

/** @throws the first error of several. */
export async function firstFailure<T>(operation: Promise<T>): Promise<T> {
  try {
    return await operation
  } catch (error) {
    const first =
      error instanceof PartialFailure ? error.results.find(({ status }) => status === 'rejected') : undefined
    throw translateError(first?.status === 'rejected' ? first.reason : error)
  }
}
