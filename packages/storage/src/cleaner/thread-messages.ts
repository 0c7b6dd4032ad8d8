/** What goes between a cleaner's thread and the thread of the broker. */
import type { GroupJob, GroupResult, MapJob, MapResult } from './cleaning-jobs.ts'

export type ToCleaner =
  | { readonly kind: 'map'; readonly job: MapJob; readonly isThrottled: boolean }
  | { readonly kind: 'group'; readonly job: GroupJob; readonly isThrottled: boolean }
  /** What was spent is paid for. */
  | { readonly kind: 'go-on' }

export type FromCleaner =
  /** The first message. */
  | { readonly kind: 'up' }
  /** Of throttled jobs: read and written, and work rests until told to go on. */
  | { readonly kind: 'spent'; readonly bytes: number }
  | { readonly kind: 'done'; readonly result: MapResult | GroupResult }
  | { readonly kind: 'failed'; readonly error: PlainError }

/** An error without what cannot be cloned. */
export interface PlainError {
  readonly name: string
  readonly message: string
  readonly stack: string | undefined
  /** Of a disk error: ENOSPC, EIO… */
  readonly code: string | number | undefined
}

export function plainError(error: unknown): PlainError {
  const { name, message, stack, code } = (error instanceof Error ? error : new Error(String(error))) as Error & {
    code?: unknown
  }
  return { name, message, stack, code: typeof code === 'string' || typeof code === 'number' ? code : undefined }
}

/** With the stack of the other thread, and the code by which disk errors are told. */
export function errorOf({ name, message, stack, code }: PlainError): Error {
  const error = Object.assign(new Error(message), { name, ...(typeof code === 'string' ? { code } : undefined) })
  if (stack !== undefined) error.stack = stack
  return error
}
