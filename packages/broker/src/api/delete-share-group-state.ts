/** Forgets the state of share partitions (KIP-932). Asked by group coordinators. */
import { DeleteShareGroupState } from '@millrace/protocol'
import { handler } from '../server/handler.ts'
import { answerEach } from './share-state-answers.ts'

export const deleteShareGroupState = handler(DeleteShareGroupState, async (request, context) => ({
  results: await answerEach(
    request,
    context,
    async (key) => {
      await context.broker.coordinators.shareState.delete(key)
      return {}
    },
    {},
  ),
}))
