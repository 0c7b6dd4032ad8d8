/** Memory for the records of an answer: counted, and given back when the answer is sent. */
import type { RequestContext } from '../server/request-context.ts'

export function takeBuffer(sizeBytes: number, context: RequestContext): Uint8Array {
  const { buffers, responseMemory } = context.broker
  const buffer = buffers.acquire(sizeBytes)
  responseMemory.take(buffer.length)
  context.onSent(() => {
    buffers.release(buffer)
    responseMemory.give(buffer.length)
  })
  return buffer
}
