/** Raises the number of partitions of topics (KIP-195), each on its own. */
import { CreatePartitions, KafkaError } from '@millrace/protocol'
import { handler } from '../server/handler.ts'

export const createPartitions = handler(CreatePartitions, async (request, context) => {
  const { topics, validateOnly, timeoutMs } = request
  try {
    const results = await context.broker.controller.createPartitions(topics, { validateOnly, timeoutMs })
    return { throttleTimeMs: 0, results }
  } catch (error) {
    if (!(error instanceof KafkaError)) throw error
    const { code, message } = error
    return {
      throttleTimeMs: 0,
      results: topics.map(({ name }) => ({ name, errorCode: code, errorMessage: message })),
    }
  }
})
