/**
 * Writes the markers of ended transactions into partitions that this broker leads: sent by transaction coordinators, and by whoever aborts a
 * transaction that has lost its coordinator (KIP-664). The transaction version is told from version 2 (KIP-1228).
 */
import { WriteTxnMarkers } from '@millrace/protocol'
import { handler } from '../server/handler.ts'

export const writeTxnMarkers = handler(
  WriteTxnMarkers,
  async (request, { broker }) => ({
    markers: await Promise.all(
      request.markers.map(async (marker) => {
        const { producerId, producerEpoch, coordinatorEpoch, transactionVersion, transactionResult, topics } = marker
        const partitions = topics.flatMap(({ name, partitionIndexes }) =>
          partitionIndexes.map((partition) => ({ topic: name, partition })),
        )
        const errorCodes = await broker.coordinators.markers.append(
          {
            producerId,
            producerEpoch,
            coordinatorEpoch,
            transactionVersion,
            result: transactionResult ? 'COMMIT' : 'ABORT',
          },
          partitions,
        )
        let at = 0
        return {
          producerId,
          topics: topics.map(({ name, partitionIndexes }) => ({
            name,
            partitions: partitionIndexes.map((partitionIndex) => ({ partitionIndex, errorCode: errorCodes[at++]! })),
          })),
        }
      }),
    ),
  }),
  { versions: [1, 2] },
)
