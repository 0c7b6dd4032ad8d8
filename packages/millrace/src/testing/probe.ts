/** The smallest questions to a broker, written by hand. */
import { connect } from 'node:net'

/** API key, version, correlation id 1, no client id. */
function header(apiKey: number, version: number): Buffer {
  return Buffer.from([0, apiKey, 0, version, 0, 0, 0, 1, 0xff, 0xff])
}

function string(text: string): Buffer {
  const length = Buffer.alloc(2)
  length.writeInt16BE(text.length)
  return Buffer.concat([length, Buffer.from(text)])
}

/** The answer behind its length and correlation id. @throws Error when there is none within 5 s. */
function ask(port: number, host: string, ...request: readonly Buffer[]): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port })
    const chunks: Buffer[] = []
    socket.setTimeout(5_000, () => socket.destroy(new Error(`no answer from ${host}:${port}`)))
    socket.on('connect', () => {
      const body = Buffer.concat(request)
      const length = Buffer.alloc(4)
      length.writeInt32BE(body.length)
      socket.write(Buffer.concat([length, body]))
    })
    socket.on('error', reject)
    socket.on('close', () => reject(new Error(`${host}:${port} closed the connection`)))
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      const answer = Buffer.concat(chunks)
      if (answer.length < 4 || answer.length < 4 + answer.readInt32BE(0)) return
      socket.removeAllListeners('close').destroy()
      resolve(answer.subarray(8))
    })
  })
}

/** Number of APIs the broker at `port` says it serves. @throws Error when there is no answer within 5 s. */
export async function countApis(port: number, host = '127.0.0.1'): Promise<number> {
  const answer = await ask(port, host, header(18, 0))
  // Error code, then the array.
  return answer.readInt16BE(0) === 0 ? answer.readInt32BE(2) : 0
}

/** A setting of the broker, as DescribeConfigs tells it. */
export async function brokerConfig(port: number, nodeId: number, name: string): Promise<string> {
  // One resource of type 4 (broker), one name, no synonyms.
  const resource = [Buffer.from([0, 0, 0, 1, 4]), string(String(nodeId)), Buffer.from([0, 0, 0, 1]), string(name)]
  const answer = await ask(port, '127.0.0.1', header(32, 1), ...resource, Buffer.from([0]))
  const at = answer.indexOf(string(name)) + 2 + name.length
  return answer.toString('utf8', at + 2, at + 2 + answer.readInt16BE(at))
}
