import type { ConsumerRecord } from '../record.ts'
import type { Tracing } from './tracing.ts'

/** A handler of records whose calls are spans, when that is wanted; else the handler itself. */
export function tracedHandler<R extends ConsumerRecord<unknown, unknown>, Context, Result>(
  handler: (record: R, context: Context) => Result,
  { tracing, groupId }: { readonly tracing: Tracing | null; readonly groupId: string | null },
): (record: R, context: Context) => Result {
  if (tracing === null) return handler
  return (record, context) => tracing.handling(record, groupId, () => handler(record, context))
}
