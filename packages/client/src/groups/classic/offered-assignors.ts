/** The assignors that a member offers, in order of preference, and how it rebalances with them. */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { Assignor, MemberSubscription, RebalanceProtocol } from '../../assignors/assignor.ts'
import { builtInAssignors, type BuiltInAssignorName } from '../../assignors/built-in-assignors.ts'
import { encodeSubscription } from './consumer-protocol-codec.ts'
import type { JoiningMember } from './join-group.ts'

/** As Kafka's `partition.assignment.strategy`. */
const DEFAULT_ASSIGNORS = ['range', 'cooperative-sticky'] as const

export interface OfferedAssignors {
  readonly assignors: readonly Assignor[]
  readonly protocol: RebalanceProtocol
}

/** @throws TypeError when two share a name, or no way of rebalancing suits all. */
export function offeredAssignors(choice: readonly (BuiltInAssignorName | Assignor)[] | null): OfferedAssignors {
  const assignors = (choice ?? DEFAULT_ASSIGNORS).map((one) =>
    typeof one === 'string' ? builtInAssignors[one]() : one,
  )
  const names = assignors.map(({ name }) => name)
  if (new Set(names).size < names.length)
    throw new TypeError(`partitionAssignmentStrategy: ${names.join(', ')} name an assignor twice`)
  // The most advanced that all support: so a group is moved from one to the other by two rounds of restarts (KIP-429).
  for (const protocol of ['cooperative', 'eager'] as const) {
    if (assignors.every(({ supportedProtocols = ['eager'] }) => supportedProtocols.includes(protocol)))
      return { assignors, protocol }
  }
  throw new TypeError(`partitionAssignmentStrategy: ${names.join(', ')} have no rebalance protocol in common`)
}

/** What the member tells for each assignor that it offers. */
export function offeredProtocols(
  { assignors }: OfferedAssignors,
  subscription: Omit<MemberSubscription, 'groupInstanceId' | 'userData'>,
): JoiningMember['protocols'] {
  const topics = new Set(subscription.topics)
  return assignors.map((assignor) => ({
    name: assignor.name,
    metadata: encodeSubscription({ ...subscription, userData: assignor.userData?.(topics) ?? null }),
  }))
}

/** @throws KafkaError INCONSISTENT_GROUP_PROTOCOL when the coordinator chose what was not offered. */
export function chosenAssignor({ assignors }: OfferedAssignors, name: string | null, groupId: string): Assignor {
  const assignor = assignors.find((one) => one.name === name)
  if (assignor !== undefined) return assignor
  const offered = assignors.map((one) => one.name).join(', ')
  throw new KafkaError(
    ErrorCode.INCONSISTENT_GROUP_PROTOCOL,
    `group ${groupId}: the coordinator chose the assignor ${name}; offered were ${offered}`,
  )
}
