/** A declared API: a request and its response, which share their versions. */
import type { Shape } from './field.ts'
import { Message } from './message.ts'
import type { Decoded, Encodable } from './values.ts'

export interface ApiDeclaration<RequestFields extends Shape, ResponseFields extends Shape> {
  readonly key: number
  readonly name: string
  /** The oldest and the newest version that can be encoded and decoded; what a broker serves is its own matter. */
  readonly versions: readonly [oldest: number, newest: number]
  /** The first flexible version (KIP-482), which also settles the versions of the headers; null when there is none. */
  readonly flexible: number | null
  readonly request: RequestFields
  readonly response: ResponseFields
}

export interface Api<RequestFields extends Shape = Shape, ResponseFields extends Shape = Shape> {
  readonly key: number
  readonly name: string
  readonly versions: readonly [oldest: number, newest: number]
  readonly flexible: number | null
  readonly request: Message<RequestFields>
  readonly response: Message<ResponseFields>
}

export function api<const RequestFields extends Shape, const ResponseFields extends Shape>(
  declaration: ApiDeclaration<RequestFields, ResponseFields>,
): Api<RequestFields, ResponseFields> {
  const { key, name, versions, flexible } = declaration
  return {
    key,
    name,
    versions,
    flexible,
    request: new Message({ name: `${name} request`, versions, flexible, fields: declaration.request }),
    response: new Message({ name: `${name} response`, versions, flexible, fields: declaration.response }),
  }
}

/** What decoding a request gives: `Request<typeof Fetch>`. */
export type Request<A extends Api> = Decoded<A['request']['fields']>
/** What decoding a response gives. */
export type Response<A extends Api> = Decoded<A['response']['fields']>
/** What encoding a request takes. */
export type RequestInput<A extends Api> = Encodable<A['request']['fields']>
/** What encoding a response takes. */
export type ResponseInput<A extends Api> = Encodable<A['response']['fields']>
