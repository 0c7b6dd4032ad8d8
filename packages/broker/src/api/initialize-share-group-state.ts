/** Creates the state of share partitions, or makes it new (KIP-932). Asked by group coordinators. */
import { InitializeShareGroupState } from '@millrace/protocol'
import { handler } from '../server/handler.ts'
import { answerEach } from './share-state-answers.ts'

export const initializeShareGroupState = handler(InitializeShareGroupState, async (request, context) => ({
  results: await answerEach(
    request,
    context,
    async (key, { stateEpoch, startOffset }) => {
      await context.broker.coordinators.shareState.initialize(key, { stateEpoch, startOffset })
      return {}
    },
    {},
  ),
}))
