import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ZERO_UUID } from '@millrace/protocol'
import { emptyImage, imageAfter } from './cluster-image.ts'

test('a number of a partition that is far off costs no memory', () => {
  const partition = (partitionIndex: number) => ({
    errorCode: 0,
    partitionIndex,
    leaderId: 1,
    leaderEpoch: 3,
    replicaNodes: [1],
    isrNodes: [1],
    offlineReplicas: [],
  })
  const image = imageAfter(
    emptyImage,
    {
      throttleTimeMs: 0,
      brokers: [],
      clusterId: null,
      controllerId: 1,
      topics: [
        {
          errorCode: 0,
          name: 't',
          topicId: ZERO_UUID,
          isInternal: false,
          partitions: [partition(0), partition(2), partition(0x7000_0000), partition(-5)],
          topicAuthorizedOperations: 0,
        },
      ],
      clusterAuthorizedOperations: 0,
      errorCode: 0,
    },
    () => false,
  )
  assert.deepEqual(
    image.topics.get('t')!.partitions.map(({ leaderId }) => leaderId),
    [1, -1, 1],
    'a hole is a partition without leader',
  )
})
