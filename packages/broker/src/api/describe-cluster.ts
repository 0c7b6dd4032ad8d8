/** Cluster id, controller and brokers (KIP-700). Endpoint types from 1 (KIP-919): only brokers here. Fenced brokers from 2 (KIP-1073). */
import { DescribeCluster, ErrorCode, type ResponseInput } from '@millrace/protocol'
import { handler } from '../server/handler.ts'
import { CLUSTER_OPERATIONS, OPERATIONS_OMITTED } from './authorized-operations.ts'
import { BrokersInView } from './brokers-in-view.ts'

const BROKERS = 1
const CONTROLLERS = 2

export const describeCluster = handler(DescribeCluster, (request, context) => {
  const { version, broker } = context
  if (request.endpointType !== BROKERS) return refused(request.endpointType, version)
  const { image } = broker.metadata
  const brokers: ResponseInput<typeof DescribeCluster>['brokers'][number][] = []
  for (const { broker: one, endpoint } of new BrokersInView(image, context).values()) {
    if (endpoint === null || (one.fenced && !request.includeFencedBrokers)) continue
    brokers.push({ brokerId: one.id, host: endpoint.host, port: endpoint.port, rack: one.rack, isFenced: one.fenced })
  }
  return {
    throttleTimeMs: 0,
    errorCode: ErrorCode.NONE,
    endpointType: BROKERS,
    clusterId: broker.clusterId,
    controllerId: brokers.some(({ brokerId }) => brokerId === image.controllerId) ? image.controllerId : -1,
    brokers,
    clusterAuthorizedOperations: request.includeClusterAuthorizedOperations ? CLUSTER_OPERATIONS : OPERATIONS_OMITTED,
  }
})

function refused(endpointType: number, version: number): ResponseInput<typeof DescribeCluster> {
  const isController = endpointType === CONTROLLERS
  const errorCode = isController ? ErrorCode.MISMATCHED_ENDPOINT_TYPE : ErrorCode.UNSUPPORTED_ENDPOINT_TYPE
  return {
    throttleTimeMs: 0,
    errorCode: version === 0 ? ErrorCode.INVALID_REQUEST : errorCode,
    errorMessage: isController
      ? 'The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER'
      : `Unsupported endpoint type ${endpointType}`,
    clusterId: '',
    brokers: [],
  }
}
