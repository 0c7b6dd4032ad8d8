// Asking a port whether a Kafka broker answers there.
import { connect } from 'node:net'

/** ApiVersions v0, correlation id 1, no client id: the one request that every broker answers at any time. */
const apiVersionsRequest = Buffer.from('0000000a' + '0012' + '0000' + '00000001' + 'ffff', 'hex')

/** The response's frame without its length, or null when none came. */
function askApiVersions(host: string, port: number, timeoutMs: number): Promise<Buffer | null> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, noDelay: true })
    let received = Buffer.alloc(0)
    const finish = (frame: Buffer | null) => {
      socket.destroy()
      resolve(frame)
    }
    socket.setTimeout(timeoutMs, () => finish(null))
    socket.on('connect', () => socket.write(apiVersionsRequest))
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk])
      if (received.length >= 4 && received.length >= 4 + received.readInt32BE(0)) finish(received.subarray(4))
    })
    socket.on('error', () => finish(null))
    socket.on('close', () => resolve(null))
  })
}

/** Whether an ApiVersions request to this address is answered now. */
export async function answersApiVersions(host: string, port: number, timeoutMs = 2000): Promise<boolean> {
  return (await askApiVersions(host, port, timeoutMs)) !== null
}
