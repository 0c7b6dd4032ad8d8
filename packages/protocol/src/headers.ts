/**
 * Request and response headers (KIP-482).
 * Request v1: key int16, version int16, correlation id int32, client id nullable string; v2 adds a tagged section, while its
 * client id stays a classic string. Response v0: correlation id int32; v1 adds a tagged section.
 */
import { apiByKey } from './apis/index.ts'
import type { Reader } from './codec/reader.ts'
import type { Writer } from './codec/writer.ts'
import type { Api } from './schema/api.ts'

export interface RequestHeader {
  readonly apiKey: number
  readonly apiVersion: number
  readonly correlationId: number
  readonly clientId: string | null
}

const API_VERSIONS_KEY = 18

/** 2 where the API is flexible in this version, also for versions newer than those known; 1 elsewhere and for unknown keys. */
export function requestHeaderVersion(apiKey: number, apiVersion: number): 1 | 2 {
  const flexible = apiByKey(apiKey)?.flexible ?? null
  return flexible !== null && apiVersion >= flexible ? 2 : 1
}

/** 1 where the API is flexible in this version. ApiVersions always has 0: its reader does not know yet what the broker speaks. */
export function responseHeaderVersion({ key, flexible }: Api, apiVersion: number): 0 | 1 {
  return flexible !== null && apiVersion >= flexible && key !== API_VERSIONS_KEY ? 1 : 0
}

/** @throws MalformedMessageError */
export function readRequestHeader(reader: Reader): RequestHeader {
  const apiKey = reader.int16()
  const apiVersion = reader.int16()
  const correlationId = reader.int32()
  const clientId = reader.nullableString()
  if (requestHeaderVersion(apiKey, apiVersion) === 2) reader.skipTaggedFields()
  return { apiKey, apiVersion, correlationId, clientId }
}

/** @throws RangeError when the client id has more than 32767 bytes. */
export function writeRequestHeader(writer: Writer, header: RequestHeader): void {
  const { apiKey, apiVersion, correlationId, clientId } = header
  writer.int16(apiKey)
  writer.int16(apiVersion)
  writer.int32(correlationId)
  writer.nullableString(clientId)
  if (requestHeaderVersion(apiKey, apiVersion) === 2) writer.int8(0)
}

/** Returns the correlation id. @throws MalformedMessageError */
export function readResponseHeader(reader: Reader, api: Api, apiVersion: number): number {
  const correlationId = reader.int32()
  if (responseHeaderVersion(api, apiVersion) === 1) reader.skipTaggedFields()
  return correlationId
}

export function writeResponseHeader(writer: Writer, api: Api, apiVersion: number, correlationId: number): void {
  writer.int32(correlationId)
  if (responseHeaderVersion(api, apiVersion) === 1) writer.int8(0)
}
