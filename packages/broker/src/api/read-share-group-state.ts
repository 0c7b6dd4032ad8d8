/** Tells a new leader of share partitions what became of their records, and fences the leaders before it (KIP-932). */
import { ReadShareGroupState } from '@millrace/protocol'
import type { PersistedBatch } from '../sharing/persister.ts'
import { handler } from '../server/handler.ts'
import { answerEach } from './share-state-answers.ts'

const nothing: { stateEpoch: number; startOffset: bigint; stateBatches: PersistedBatch[] } = {
  stateEpoch: 0,
  startOffset: 0n,
  stateBatches: [],
}

export const readShareGroupState = handler(ReadShareGroupState, async (request, context) => ({
  results: await answerEach(
    request,
    context,
    async (key, { leaderEpoch }) => {
      const { stateEpoch, startOffset, batches } = await context.broker.coordinators.shareState.read(key, leaderEpoch)
      return { stateEpoch, startOffset, stateBatches: [...batches] }
    },
    nothing,
  ),
}))
