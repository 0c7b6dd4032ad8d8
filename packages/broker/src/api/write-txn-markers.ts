/**
 * Writes the markers of ended transactions into partitions that this broker leads: sent by transaction coordinators, and by whoever aborts a
 * transaction that has lost its coordinator (KIP-664). The transaction version is told from version 2 (KIP-1228).
 */
import { WriteTxnMarkers } from '@millrace/protocol'
import { handler } from '../server/handler.ts'
import { askInTurns } from '../server/ask-in-turns.ts'
import { partitionsByTopic } from './partitions-by-topic.ts'

export const writeTxnMarkers = handler(
  WriteTxnMarkers,
  async (request, { broker }) => ({
    markers: await askInTurns(request.markers, broker.clock, async (marker) => {
      const { producerId, producerEpoch, coordinatorEpoch, transactionVersion, transactionResult } = marker
      // A partition gets one marker, however often it is named.
      const topics = [...partitionsByTopic(marker.topics)]
      const partitions = topics.flatMap(([topic, indexes]) =>
        Array.from(indexes, (partition) => ({ topic, partition })),
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
        topics: topics.map(([name, indexes]) => ({
          name,
          partitions: Array.from(indexes, (partitionIndex) => ({ partitionIndex, errorCode: errorCodes[at++]! })),
        })),
      }
    }),
  }),
  { versions: [1, 2] },
)
