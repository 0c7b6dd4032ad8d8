/** Whether the options of a consumer go together. */
import { asksForClassic } from '../groups/choose-protocol.ts'
import type { ConsumerSettings } from './options.ts'

/** @throws TypeError for settings that do not go together. Source: Kafka's ConsumerConfig and Heartbeat. */
export function checkConsumerSettings(settings: ConsumerSettings): void {
  const { groupId, topics, enableAutoCommit, groupProtocol, groupRemoteAssignor } = settings
  const { sessionTimeoutMs, heartbeatIntervalMs } = settings
  if (groupId === null && enableAutoCommit === true) refuse('enableAutoCommit needs a groupId to commit for')
  if (groupId === null && topics !== null)
    refuse('topics need a groupId to share them with; without a group, assign partitions')
  if (groupProtocol === 'classic' && groupRemoteAssignor !== null)
    refuse("groupRemoteAssignor is of the consumer protocol, but groupProtocol is 'classic'")
  if (groupProtocol === 'consumer') {
    const classic = asksForClassic(settings)
    if (classic !== null) refuse(`${classic} is of the classic protocol, but groupProtocol is 'consumer'`)
  } else if (heartbeatIntervalMs >= sessionTimeoutMs)
    refuse(
      `heartbeatIntervalMs (${heartbeatIntervalMs}) should be well below sessionTimeoutMs (${sessionTimeoutMs}), a third of it at most`,
    )
}

function refuse(why: string): never {
  throw new TypeError(`kafka.consumer(): ${why}`)
}
