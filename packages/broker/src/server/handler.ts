/**
 * What a request handler is: an API, and a function from its decoded request to its response. A handler knows no socket and no
 * encoding; the registry (`api/index.ts`) is the list of all handlers, and the ApiVersions answer is derived from it.
 */
import type { Api, Request, ResponseInput } from '@millrace/protocol'
import { requestCarriesRecords } from '@millrace/network'
import type { RequestContext } from './request-context.ts'

/** A response, or null when the request wants none (Produce with acks=0). */
export type Answer<A extends Api> = ResponseInput<A> | null

export interface Handler<A extends Api = Api> {
  readonly api: A
  /** Oldest and newest version served and advertised. */
  readonly versions: readonly [oldest: number, newest: number]
  /** The decoded request looks into the frame it came in: that is kept until the answer, or `RequestContext.releaseRequest`. */
  readonly keepsFrame: boolean
  handle(request: Request<A>, context: RequestContext): Promise<Answer<A>> | Answer<A>
}

export interface HandlerOptions {
  /** When not every declared version is served. */
  readonly versions?: readonly [oldest: number, newest: number]
}

/**
 * Declares the handler of an API. It may answer at once or later; what it throws closes the connection, so an expected failure is
 * put into the response as an error code.
 */
export function handler<const A extends Api>(
  api: A,
  handle: (request: Request<A>, context: RequestContext) => Promise<Answer<A>> | Answer<A>,
  options: HandlerOptions = {},
): Handler<A> {
  return { api, versions: options.versions ?? api.versions, keepsFrame: requestCarriesRecords(api), handle }
}
