/** Adds the offsets of a group to a transaction, before they are committed in it (KIP-98): that is a partition of `__consumer_offsets`. */
import { AddOffsetsToTxn } from '@millrace/protocol'
import { OFFSETS_TOPIC } from '../controller/topic-names.ts'
import { handler } from '../server/handler.ts'
import { fencedFor, orRefused } from './producer-errors.ts'

const fencesSince = 2

export const addOffsetsToTxn = handler(AddOffsetsToTxn, async (request, { version, broker }) => {
  const { transactionalId, groupId, producerId, producerEpoch } = request
  const { groups, transactions } = broker.coordinators
  const add = async () => {
    const partitions = [{ topic: OFFSETS_TOPIC, partition: groups.partitionOf(groupId) }]
    return transactions.addPartitions(transactionalId, { producerId, producerEpoch, partitions, clientVersion: 0 })
  }
  const errorCode = await orRefused(add(), (code) => code)
  return { throttleTimeMs: 0, errorCode: fencedFor(errorCode, version, fencesSince) }
})
