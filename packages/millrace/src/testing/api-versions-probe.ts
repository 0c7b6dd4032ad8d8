/** The smallest question to a broker, to see that it answers. */
import { connect } from 'node:net'

/** ApiVersions version 0, correlation id 1, no client id; with its length. */
const request = Buffer.from([0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff])

/** Number of APIs the broker at `port` says it serves. @throws Error when there is no answer within 5 s. */
export function countApis(port: number, host = '127.0.0.1'): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port })
    const chunks: Buffer[] = []
    socket.setTimeout(5_000, () => socket.destroy(new Error(`no answer from ${host}:${port}`)))
    socket.on('connect', () => socket.write(request))
    socket.on('error', reject)
    socket.on('close', () => reject(new Error(`${host}:${port} closed the connection`)))
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      const answer = Buffer.concat(chunks)
      if (answer.length < 4 || answer.length < 4 + answer.readInt32BE(0)) return
      socket.removeAllListeners('close').destroy()
      // Length, correlation id, error code, then the array.
      resolve(answer.readInt16BE(8) === 0 ? answer.readInt32BE(10) : 0)
    })
  })
}
