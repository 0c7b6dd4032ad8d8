/** KafkaJS's events of single requests, from the client's diagnostics channel. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { ErrorCode, KafkaError, type RequestMessage } from '@millrace/client'

const CHANNEL = 'millrace:client:request'

/** Told of every request of clients with this id, until the function it returns is called. */
export function forwardRequests(clientId: string, tell: (isTimeout: boolean, payload: object) => void): () => void {
  const forward = (message: unknown): void => {
    const { api, version, broker, durationMs, error, ...told } = message as RequestMessage
    if (told.clientId !== clientId) return
    tell(error instanceof KafkaError && error.code === ErrorCode.REQUEST_TIMED_OUT, {
      apiName: api,
      apiVersion: version,
      broker: `${broker.host}:${broker.port}`,
      clientId,
      duration: Math.round(durationMs),
      createdAt: Math.round(Date.now() - durationMs),
    })
  }
  subscribe(CHANNEL, forward)
  return () => void unsubscribe(CHANNEL, forward)
}
