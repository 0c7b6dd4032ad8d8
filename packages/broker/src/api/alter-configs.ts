/** Replaces all settings of a resource: those not named are taken away. Its successor is IncrementalAlterConfigs. */
import { AlterConfigs } from '@millrace/protocol'
import { applyOperations, ConfigOperationType } from '../config/alter-configs.ts'
import { handler } from '../server/handler.ts'
import { alterResources } from './alter-resources.ts'

export const alterConfigs = handler(AlterConfigs, async (request, { broker }) => ({
  throttleTimeMs: 0,
  responses: await alterResources(
    request.resources.map(({ resourceType, resourceName, configs }) => ({
      resourceType,
      resourceName,
      operations: configs.map(({ name, value }) => ({ name, type: ConfigOperationType.SET, value })),
    })),
    (type, _current, operations) => applyOperations(type, new Map(), operations),
    request.validateOnly,
    broker,
  ),
}))
