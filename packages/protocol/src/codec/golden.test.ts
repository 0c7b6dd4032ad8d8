/** Bytes composed by hand from Kafka's protocol guide: the codecs cannot be wrong together with their interpreter here. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ApiVersions, Fetch, Metadata, Produce, Reader, Writer } from '../index.ts'
import type { Message } from '../index.ts'

const topicId = 'AAECAwQFBgcICQoLDA0ODw'
const topicIdBytes = '00010203 04050607 08090a0b 0c0d0e0f'

interface Golden {
  readonly name: string
  readonly message: Message
  readonly version: number
  readonly value: object
  /** Hexadecimal, one line per stretch. */
  readonly bytes: readonly string[]
}

const goldens: readonly Golden[] = [
  {
    name: 'ApiVersions v0 response',
    message: ApiVersions.response as Message,
    version: 0,
    value: { errorCode: 35, apiKeys: [{ apiKey: 18, minVersion: 0, maxVersion: 4 }] },
    bytes: ['0023', '00000001', '0012 0000 0004'],
  },
  {
    name: 'ApiVersions v3 request',
    message: ApiVersions.request as Message,
    version: 3,
    value: { clientSoftwareName: 'ab', clientSoftwareVersion: '1' },
    bytes: ['03 6162', '02 31', '00'],
  },
  {
    name: 'ApiVersions v3 response with a tagged epoch',
    message: ApiVersions.response as Message,
    version: 3,
    value: {
      errorCode: 0,
      apiKeys: [{ apiKey: 3, minVersion: 0, maxVersion: 12 }],
      throttleTimeMs: 7,
      finalizedFeaturesEpoch: 5n,
    },
    bytes: ['0000', '02', '0003 0000 000c 00', '00000007', '01', '01 08 00000000 00000005'],
  },
  {
    name: 'Metadata v1 request',
    message: Metadata.request as Message,
    version: 1,
    value: { topics: [{ name: 't' }] },
    bytes: ['00000001', '0001 74'],
  },
  {
    name: 'Metadata v1 request for all topics',
    message: Metadata.request as Message,
    version: 1,
    value: { topics: null },
    bytes: ['ffffffff'],
  },
  {
    name: 'Metadata v1 response',
    message: Metadata.response as Message,
    version: 1,
    value: {
      brokers: [{ nodeId: 1, host: 'h', port: 9092, rack: null }],
      controllerId: 1,
      topics: [
        {
          errorCode: 0,
          name: 't',
          isInternal: true,
          partitions: [{ errorCode: 0, partitionIndex: 2, leaderId: 1, replicaNodes: [1, 3], isrNodes: [1] }],
        },
      ],
    },
    bytes: [
      '00000001 00000001 0001 68 00002384 ffff',
      '00000001',
      '00000001 0000 0001 74 01',
      '00000001 0000 00000002 00000001 00000002 00000001 00000003 00000001 00000001',
    ],
  },
  {
    name: 'Metadata v12 request',
    message: Metadata.request as Message,
    version: 12,
    value: { topics: [{ topicId, name: null }], allowAutoTopicCreation: false, includeTopicAuthorizedOperations: true },
    bytes: ['02', topicIdBytes, '00 00', '00', '01', '00'],
  },
  {
    name: 'Metadata v12 response',
    message: Metadata.response as Message,
    version: 12,
    value: {
      brokers: [{ nodeId: 1, host: 'h', port: 9092, rack: null }],
      clusterId: 'c',
      controllerId: 1,
      topics: [
        {
          errorCode: 0,
          name: 't',
          topicId,
          partitions: [
            { errorCode: 0, partitionIndex: 0, leaderId: 1, leaderEpoch: 5, replicaNodes: [1], isrNodes: [1] },
          ],
        },
      ],
    },
    bytes: [
      '00000000',
      '02 00000001 02 68 00002384 00 00',
      '02 63',
      '00000001',
      '02 0000 02 74',
      topicIdBytes,
      '00',
      '02 0000 00000000 00000001 00000005 02 00000001 02 00000001 01 00',
      '80000000 00',
      '00',
    ],
  },
  {
    name: 'Fetch v4 request',
    message: Fetch.request as Message,
    version: 4,
    value: {
      maxWaitMs: 500,
      minBytes: 1,
      maxBytes: 0x0320_0000,
      isolationLevel: 1,
      topics: [{ topic: 't', partitions: [{ partition: 0, fetchOffset: 7n, partitionMaxBytes: 0x10_0000 }] }],
    },
    bytes: [
      'ffffffff 000001f4 00000001 03200000 01',
      '00000001 0001 74',
      '00000001 00000000 00000000 00000007 00100000',
    ],
  },
  {
    name: 'Fetch v4 response',
    message: Fetch.response as Message,
    version: 4,
    value: {
      responses: [
        {
          topic: 't',
          partitions: [
            {
              partitionIndex: 0,
              errorCode: 0,
              highWatermark: 10n,
              lastStableOffset: 9n,
              abortedTransactions: null,
              records: Buffer.from([1, 2, 3]),
            },
          ],
        },
      ],
    },
    bytes: [
      '00000000',
      '00000001 0001 74',
      '00000001 00000000 0000 00000000 0000000a 00000000 00000009 ffffffff 00000003 010203',
    ],
  },
  {
    name: 'Fetch v13 request with a tagged cluster id',
    message: Fetch.request as Message,
    version: 13,
    value: {
      clusterId: 'c',
      maxWaitMs: 500,
      minBytes: 1,
      maxBytes: 0x0320_0000,
      topics: [
        {
          topicId,
          partitions: [{ partition: 1, currentLeaderEpoch: 3, fetchOffset: 7n, partitionMaxBytes: 0x10_0000 }],
        },
      ],
      forgottenTopicsData: [{ topicId, partitions: [9] }],
    },
    bytes: [
      'ffffffff 000001f4 00000001 03200000 00 00000000 ffffffff',
      '02',
      topicIdBytes,
      '02 00000001 00000003 00000000 00000007 ffffffff ffffffff ffffffff 00100000 00',
      '00',
      '02',
      topicIdBytes,
      '02 00000009 00',
      '01',
      '01 00 02 02 63',
    ],
  },
  {
    name: 'Fetch v13 response with a tagged diverging epoch',
    message: Fetch.response as Message,
    version: 13,
    value: {
      sessionId: 4,
      responses: [
        {
          topicId,
          partitions: [
            {
              partitionIndex: 0,
              errorCode: 0,
              highWatermark: 10n,
              lastStableOffset: 9n,
              logStartOffset: 0n,
              divergingEpoch: { epoch: 2, endOffset: 9n },
              abortedTransactions: [{ producerId: 6n, firstOffset: 8n }],
              records: null,
            },
          ],
        },
      ],
    },
    bytes: [
      '00000000 0000 00000004',
      '02',
      topicIdBytes,
      '02 00000000 0000 00000000 0000000a 00000000 00000009 00000000 00000000',
      '02 00000000 00000006 00000000 00000008 00',
      'ffffffff 00',
      '01 00 0d 00000002 00000000 00000009 00',
      '00',
      '00',
    ],
  },
  {
    name: 'Produce v3 request',
    message: Produce.request as Message,
    version: 3,
    value: {
      acks: -1,
      timeoutMs: 30_000,
      topicData: [{ name: 't', partitionData: [{ index: 0, records: Buffer.from([1, 2, 3]) }] }],
    },
    bytes: ['ffff ffff 00007530', '00000001 0001 74', '00000001 00000000 00000003 010203'],
  },
  {
    name: 'Produce v3 response',
    message: Produce.response as Message,
    version: 3,
    value: {
      responses: [{ name: 't', partitionResponses: [{ index: 0, errorCode: 0, baseOffset: 5n }] }],
      throttleTimeMs: 1,
    },
    bytes: ['00000001 0001 74', '00000001 00000000 0000 00000000 00000005 ffffffff ffffffff', '00000001'],
  },
  {
    name: 'Produce v9 request',
    message: Produce.request as Message,
    version: 9,
    value: {
      transactionalId: 'x',
      acks: 1,
      timeoutMs: 30_000,
      topicData: [{ name: 't', partitionData: [{ index: 0, records: Buffer.from([1, 2, 3]) }] }],
    },
    bytes: ['02 78 0001 00007530', '02 02 74', '02 00000000 04 010203 00', '00', '00'],
  },
  {
    name: 'Produce v9 response',
    message: Produce.response as Message,
    version: 9,
    value: {
      responses: [
        {
          name: 't',
          partitionResponses: [
            {
              index: 0,
              errorCode: 87,
              baseOffset: -1n,
              logStartOffset: 0n,
              recordErrors: [{ batchIndex: 0, batchIndexErrorMessage: 'x' }],
              errorMessage: 'y',
            },
          ],
        },
      ],
    },
    bytes: [
      '02 02 74',
      '02 00000000 0057 ffffffff ffffffff ffffffff ffffffff 00000000 00000000',
      '02 00000000 02 78 00',
      '02 79 00',
      '00',
      '00000000 00',
    ],
  },
]

for (const { name, message, version, value, bytes } of goldens) {
  test(`${name} has the bytes of Kafka`, () => {
    const expected = bytes.join('').replaceAll(' ', '')
    const writer = new Writer()
    message.encode(writer, value as never, version)
    assert.equal(Buffer.concat(writer.finish()).toString('hex'), expected)
    const reader = new Reader(Buffer.from(expected, 'hex'))
    assertContains(message.decode(reader, version), value)
    reader.expectEnd()
  })
}

/** Every field of `expected`, at any depth, is in `actual`. */
function assertContains(actual: unknown, expected: unknown): void {
  if (typeof expected !== 'object' || expected === null || expected instanceof Uint8Array)
    return assert.deepEqual(actual, expected)
  if (Array.isArray(expected)) assert.equal((actual as unknown[]).length, expected.length)
  for (const [name, value] of Object.entries(expected))
    assertContains((actual as Readonly<Record<string, unknown>>)[name], value)
}
