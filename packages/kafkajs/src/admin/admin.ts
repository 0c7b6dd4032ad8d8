/** KafkaJS's admin. */
import type { Admin as ClientAdmin } from '@millrace/client'
import type { Connections } from '../connections.ts'
import { KafkaJSError } from '../errors.ts'
import type { Listening } from '../event-types.ts'
import { InstrumentationEvents, type Listener } from '../events.ts'
import type { Logger } from '../logger.ts'
import { forwardRequests } from '../network-events.ts'
import { retryFrom, type RetryOptions } from '../retry.ts'
import { translated } from '../translate-error.ts'
import { aclAdmin, type AclAdmin } from './acls.ts'
import { configAdmin, type ConfigAdmin } from './configs.ts'
import { groupAdmin, type GroupAdmin } from './groups.ts'
import { topicAdmin, type TopicAdmin } from './topics.ts'

export interface AdminConfig {
  retry?: RetryOptions
}

const eventNames = {
  CONNECT: 'admin.connect',
  DISCONNECT: 'admin.disconnect',
  REQUEST: 'admin.network.request',
  REQUEST_TIMEOUT: 'admin.network.request_timeout',
  REQUEST_QUEUE_SIZE: 'admin.network.request_queue_size',
} as const
export type AdminEvents = typeof eventNames

export interface Admin extends AclAdmin, ConfigAdmin, GroupAdmin, TopicAdmin {
  connect(): Promise<void>
  disconnect(): Promise<void>
  describeCluster(): Promise<{
    brokers: { nodeId: number; host: string; port: number }[]
    controller: number | null
    clusterId: string
  }>
  logger(): Logger
  readonly on: Listening<AdminEvents>
  readonly events: AdminEvents
}

export function createAdmin(connections: Connections, config: AdminConfig, rootLogger: Logger): Admin {
  const logger = rootLogger.namespace('Admin')
  const events = new InstrumentationEvents(eventNames, logger)
  const retry = retryFrom(connections.retry, config.retry)
  let open: ClientAdmin | null = null
  let stopForwarding: (() => void) | null = null
  const admin = (): ClientAdmin => {
    if (open === null) throw new KafkaJSError('The admin is disconnected: call connect first', { retriable: false })
    return open
  }
  const topics = topicAdmin(admin)

  return {
    ...withItsErrors(topics),
    ...withItsErrors(groupAdmin(admin, topics)),
    ...withItsErrors(configAdmin(admin)),
    ...withItsErrors(aclAdmin(admin)),
    events: eventNames,
    on: (eventName: string, listener: Listener) => events.on(eventName, listener),
    logger: () => logger,

    async connect() {
      await translated(connections.connect())
      open ??= connections
        .kafka()
        .admin({ retryBackoffMs: retry.initialRetryTime, retryBackoffMaxMs: retry.maxRetryTime })
      stopForwarding ??= forwardRequests(connections.clientId, (isTimeout, payload) =>
        events.emit(isTimeout ? eventNames.REQUEST_TIMEOUT : eventNames.REQUEST, payload),
      )
      events.emit(eventNames.CONNECT)
    },

    async disconnect() {
      const closing = open
      open = null
      await closing?.close()
      stopForwarding?.()
      stopForwarding = null
      events.emit(eventNames.DISCONNECT)
    },

    async describeCluster() {
      const { brokers, controller, clusterId } = await translated(admin().describeCluster())
      return {
        brokers: brokers.map(({ id, host, port }) => ({ nodeId: id, host, port })),
        controller: controller?.id ?? null,
        clusterId: clusterId ?? '',
      }
    },
  }
}

/** What programs in JavaScript give that is not of the types is refused as KafkaJS refuses it, whatever trips over it. */
function withItsErrors<Methods extends object>(methods: Methods): Methods {
  const wrapped = Object.entries(methods as Record<string, (...given: unknown[]) => Promise<unknown>>).map(
    ([name, method]) => [name, async (...given: unknown[]) => translated((async () => method(...given))())],
  )
  return Object.fromEntries(wrapped) as Methods
}
