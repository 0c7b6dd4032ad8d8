/**
 * Balanced, and moves as little as that allows. Eager: members give everything up before they join, so what they had travels in the user data.
 * See `sticky-assignment.ts` for the guarantees.
 */
import type { SynchronousAssignor } from './assignor.ts'
import { OwnershipClaims } from './ownership-claims.ts'
import { stickyAssignment } from './sticky-assignment.ts'
import { decodePreviousAssignment, encodePreviousAssignment } from './sticky-user-data.ts'
import type { TopicPartition } from '../record.ts'

export function stickyAssignor(): SynchronousAssignor {
  let previous: { readonly partitions: readonly TopicPartition[]; readonly generationId: number } | null = null
  return {
    name: 'sticky',
    supportedProtocols: ['eager'],
    userData() {
      return previous === null ? null : encodePreviousAssignment(previous.partitions, previous.generationId)
    },
    assign(topics, members) {
      const claims = new OwnershipClaims(members, ({ userData }) => decodePreviousAssignment(userData))
      const assignment = stickyAssignment({ topics, members, claims })
      return new Map([...assignment].map(([memberId, partitions]) => [memberId, { partitions }]))
    },
    onAssignment({ partitions }, { generationId }) {
      previous = { partitions, generationId }
    },
  }
}
