// Asking a port whether a Kafka broker answers there.
import { connect } from 'node:net'

/** ApiVersions v0, correlation id 1, no client id: the one request that every broker answers at any time. */
const apiVersionsRequest = Buffer.from('0000000a' + '0012' + '0000' + '00000001' + 'ffff', 'hex')

/** Whether an ApiVersions request to this address is answered now. */
export function answersApiVersions(host: string, port: number, timeoutMs = 2000): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, noDelay: true })
    const finish = (answered: boolean) => {
      socket.destroy()
      resolve(answered)
    }
    socket.setTimeout(timeoutMs, () => finish(false))
    socket.on('connect', () => socket.write(apiVersionsRequest))
    socket.on('data', () => finish(true))
    socket.on('error', () => finish(false))
    socket.on('close', () => resolve(false))
  })
}
