/** Entry of the codec thread; see `codec-worker.ts` for how it is found. Answers one job after another. */
import { parentPort } from 'node:worker_threads'
import { CODEC_THREAD_IS_UP, describeError, runCodecJob, type CodecJob, type CodecResult } from './codec-job.ts'

parentPort?.on('message', (job: CodecJob) => {
  let result: CodecResult
  const transfer: ArrayBuffer[] = []
  try {
    const bytes = ownMemory(runCodecJob(job))
    transfer.push(bytes.buffer)
    result = { id: job.id, bytes }
  } catch (error) {
    result = { id: job.id, error: describeError(error) }
  }
  parentPort?.postMessage(result, transfer)
})

parentPort?.postMessage({ id: CODEC_THREAD_IS_UP } satisfies CodecResult)

/** Memory that may be handed over: what pools and native packages lend may not, and is copied. */
function ownMemory(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer, byteLength } = bytes
  const isOwn = bytes.constructor === Uint8Array && buffer instanceof ArrayBuffer && byteLength * 2 >= buffer.byteLength
  return isOwn ? (bytes as Uint8Array<ArrayBuffer>) : new Uint8Array(bytes)
}
