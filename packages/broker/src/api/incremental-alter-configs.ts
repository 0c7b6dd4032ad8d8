/** Sets, deletes, appends to and subtracts from single settings (KIP-339). */
import { IncrementalAlterConfigs } from '@millrace/protocol'
import { applyOperations } from '../config/alter-configs.ts'
import { handler } from '../server/handler.ts'
import { alterResources } from './alter-resources.ts'

export const incrementalAlterConfigs = handler(IncrementalAlterConfigs, async (request, { broker }) => ({
  throttleTimeMs: 0,
  responses: await alterResources(
    request.resources.map(({ resourceType, resourceName, configs }) => ({
      resourceType,
      resourceName,
      operations: configs.map(({ name, configOperation, value }) => ({ name, type: configOperation, value })),
    })),
    applyOperations,
    request.validateOnly,
    broker,
  ),
}))
