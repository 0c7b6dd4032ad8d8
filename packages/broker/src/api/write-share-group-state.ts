/** Keeps what became of records of share partitions (KIP-932). Completed deliveries since version 1 (KIP-1226). */
import { WriteShareGroupState } from '@millrace/protocol'
import { handler } from '../server/handler.ts'
import { answerEach } from './share-state-answers.ts'

export const writeShareGroupState = handler(WriteShareGroupState, async (request, context) => ({
  results: await answerEach(
    request,
    context,
    async (key, { stateBatches, ...write }) => {
      await context.broker.coordinators.shareState.write(key, { ...write, batches: stateBatches })
      return {}
    },
    {},
  ),
}))
