/** KafkaJS's events of single requests and heartbeats, from the client's diagnostics channels. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { ErrorCode, KafkaError, type HeartbeatMessage, type RequestMessage } from '@millrace/client'

/** Told of every request of clients with this id, until the function it returns is called. */
export function forwardRequests(clientId: string, tell: (isTimeout: boolean, payload: object) => void): () => void {
  return listen<RequestMessage>('millrace:client:request', (message) => {
    if (message.clientId !== clientId) return
    const { api, apiKey, version, correlationId, broker, durationMs, answerBytes, error } = message
    const createdAt = Math.round(Date.now() - durationMs)
    const isTimeout = error instanceof KafkaError && error.code === ErrorCode.REQUEST_TIMED_OUT
    tell(isTimeout, {
      apiKey,
      apiName: api,
      apiVersion: version,
      broker: `${broker.host}:${broker.port}`,
      clientId,
      correlationId,
      createdAt,
      sentAt: createdAt,
      pendingDuration: 0,
      ...(isTimeout ? {} : { duration: Math.round(durationMs), size: answerBytes }),
    })
  })
}

/** Told of every heartbeat of the group's members here that was answered, until the function it returns is called. */
export function forwardHeartbeats(groupId: string, tell: (memberId: string) => void): () => void {
  return listen<HeartbeatMessage>('millrace:consumer:heartbeat', (message) => {
    if (message.groupId === groupId) tell(message.memberId)
  })
}

function listen<Message>(channel: string, tell: (message: Message) => void): () => void {
  const forward = (message: unknown): void => tell(message as Message)
  subscribe(channel, forward)
  return () => void unsubscribe(channel, forward)
}
