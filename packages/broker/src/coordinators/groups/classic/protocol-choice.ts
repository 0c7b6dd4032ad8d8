/** How the members of a group agree on one of their protocols (assignors). Source: Kafka's ClassicGroup.selectProtocol. */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { ClassicMember, MemberProtocol } from './classic-member.ts'

/** Members have a few; a million would be counted for seconds. */
const mostProtocols = 1000
/** Of all protocols of a member. The group's record holds those of one protocol and of all members, in a batch of about 1 MiB by default. */
const mostProtocolBytes = 4 << 20

/** @throws KafkaError INVALID_REQUEST for more than a group could ever use, but the broker would have to keep while the member waits. */
export function checkProtocols(protocols: readonly MemberProtocol[]): void {
  let sizeBytes = 0
  for (const { name, metadata } of protocols) sizeBytes += name.length + metadata.length
  if (protocols.length > mostProtocols || sizeBytes > mostProtocolBytes)
    throw new KafkaError(
      ErrorCode.INVALID_REQUEST,
      `a member has ${protocols.length} protocols of ${sizeBytes} bytes; ${mostProtocols} of ${mostProtocolBytes} are the most`,
    )
}

/** How many members support each protocol, however often one names it. */
export class ProtocolCounts {
  readonly #counts = new Map<string, number>()

  add(protocols: readonly MemberProtocol[]): void {
    for (const name of namesOf(protocols)) this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1)
  }

  remove(protocols: readonly MemberProtocol[]): void {
    for (const name of namesOf(protocols)) {
      const left = (this.#counts.get(name) ?? 0) - 1
      if (left > 0) this.#counts.set(name, left)
      else this.#counts.delete(name)
    }
  }

  of(protocol: string): number {
    return this.#counts.get(protocol) ?? 0
  }
}

function namesOf(protocols: readonly MemberProtocol[]): Set<string> {
  return new Set(protocols.map(({ name }) => name))
}

/**
 * Of the protocols that all members support, the one that most of them prefer; the first that got so many votes when there are several.
 * @throws Error when there is none.
 */
export function chooseProtocol(members: ReadonlyMap<string, ClassicMember>, counts: ProtocolCounts): string {
  const votes = new Map<string, number>()
  for (const member of members.values()) {
    const preferred = member.protocols.find(({ name }) => counts.of(name) === members.size)
    if (preferred === undefined) throw new Error(`member ${member.id} supports none of the protocols of all`)
    votes.set(preferred.name, (votes.get(preferred.name) ?? 0) + 1)
  }
  let chosen: string | null = null
  for (const [name, count] of votes) if (chosen === null || count > votes.get(chosen)!) chosen = name
  if (chosen === null) throw new Error('a group without members cannot choose a protocol')
  return chosen
}
