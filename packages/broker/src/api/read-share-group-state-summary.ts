/** Tells where share groups begin to read (KIP-932), and how many records behind that are done with, since version 1 (KIP-1226). */
import { ReadShareGroupStateSummary } from '@millrace/protocol'
import { handler } from '../server/handler.ts'
import { answerEach } from './share-state-answers.ts'

const nothing = { stateEpoch: 0, leaderEpoch: 0, startOffset: 0n, deliveryCompleteCount: -1 }

export const readShareGroupStateSummary = handler(ReadShareGroupStateSummary, async (request, context) => ({
  results: await answerEach(
    request,
    context,
    (key) => context.broker.coordinators.shareState.readSummary(key),
    nothing,
  ),
}))
