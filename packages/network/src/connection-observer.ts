import type { Api } from '@millrace/protocol'

/** Sees what passes over a connection, for metrics. Must not throw. */
export interface ConnectionObserver {
  requestSent(api: Api, sizeBytes: number): void
  /** The request has its answer (`error` null), or will not get one. Not called for one that wants none. */
  requestEnded(ended: EndedRequest): void
}

export interface EndedRequest {
  readonly api: Api
  readonly version: number
  readonly correlationId: number
  readonly durationMs: number
  /** Of the answer, 0 without one. */
  readonly answerBytes: number
  readonly error: Error | null
}
