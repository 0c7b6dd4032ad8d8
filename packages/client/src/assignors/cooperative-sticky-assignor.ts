/**
 * As `sticky`, for members that keep what they own while the group rebalances (KIP-429). What moves is first taken from the one who has it, and
 * given to the other in the rebalance that follows: a partition never has two owners.
 */
import type { SynchronousAssignor } from './assignor.ts'
import { OwnershipClaims } from './ownership-claims.ts'
import { stickyAssignment } from './sticky-assignment.ts'
import { decodeOwningGeneration, encodeOwningGeneration } from './sticky-user-data.ts'

export function cooperativeStickyAssignor(): SynchronousAssignor {
  let owningGeneration = -1
  return {
    name: 'cooperative-sticky',
    supportedProtocols: ['cooperative', 'eager'],
    userData() {
      return encodeOwningGeneration(owningGeneration)
    },
    assign(topics, members) {
      // Clients older than KIP-792 tell the generation in the user data only.
      const claims = new OwnershipClaims(members, ({ ownedPartitions, generationId, userData }) => ({
        partitions: ownedPartitions,
        generationId: generationId >= 0 ? generationId : decodeOwningGeneration(userData),
      }))
      const assignment = stickyAssignment({ topics, members, claims })
      return new Map(
        [...assignment].map(([memberId, partitions]) => [
          memberId,
          { partitions: partitions.filter((partition) => claims.mayHaveNow(memberId, partition)) },
        ]),
      )
    },
    onAssignment(_assignment, { generationId }) {
      owningGeneration = generationId
    },
  }
}
