/**
 * Raises or lowers finalized feature levels, all or none (KIP-584). Kinds of change and validating only from version 1 (KIP-778): before
 * it there are only upgrades, whatever `allowDowngrade` says, as in Kafka 4. Up to version 1 a success is told of each feature. Only the
 * controller does it; others answer NOT_CONTROLLER.
 */
import { ErrorCode, KafkaError, UpdateFeatures } from '@millrace/protocol'
import { handler } from '../server/handler.ts'

export const updateFeatures = handler(UpdateFeatures, async (request, { broker, version }) => {
  const { featureUpdates, validateOnly } = request
  try {
    await broker.controller.updateFeatures(featureUpdates, { validateOnly })
  } catch (error) {
    if (!(error instanceof KafkaError)) throw error
    const { code, message } = error
    const errorMessage =
      code === ErrorCode.INVALID_UPDATE_VERSION
        ? `The update failed for all features since the following feature had an error: ${message}`
        : message
    return { throttleTimeMs: 0, errorCode: code, errorMessage, results: [] }
  }
  return {
    throttleTimeMs: 0,
    errorCode: ErrorCode.NONE,
    errorMessage: null,
    results:
      version > 1
        ? []
        : featureUpdates.map(({ feature }) => ({ feature, errorCode: ErrorCode.NONE, errorMessage: 'NONE' })),
  }
})
