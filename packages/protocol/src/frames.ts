/** Whole frames: int32 length of what follows, header, body. Each is a scatter list: own bytes and referenced records, in order. */
import { Writer } from './codec/writer.ts'
import { writeRequestHeader, writeResponseHeader } from './headers.ts'
import type { Api, RequestInput, ResponseInput } from './schema/api.ts'

/** @throws what Message.encode throws */
export function encodeRequestFrame<A extends Api>(
  api: A,
  version: number,
  correlationId: number,
  clientId: string | null,
  value: RequestInput<A>,
): Uint8Array[] {
  const writer = new Writer()
  writer.int32(0)
  writeRequestHeader(writer, { apiKey: api.key, apiVersion: version, correlationId, clientId })
  api.request.encode(writer, value, version)
  return frame(writer)
}

/** @throws what Message.encode throws */
export function encodeResponseFrame<A extends Api>(
  api: A,
  version: number,
  correlationId: number,
  value: ResponseInput<A>,
): Uint8Array[] {
  const writer = new Writer()
  writer.int32(0)
  writeResponseHeader(writer, api, version, correlationId)
  api.response.encode(writer, value, version)
  return frame(writer)
}

function frame(writer: Writer): Uint8Array[] {
  writer.view.setInt32(0, writer.length - 4)
  return writer.finish()
}
