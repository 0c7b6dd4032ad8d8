/** Type tests: the compiler checks them, running them shows that the values agree. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Fetch, Metadata, Produce, Reader, Writer } from '../index.ts'
import type { Request, RequestInput, Response, ResponseInput } from '../index.ts'

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
function type<_ extends true>(): void {}

test('decoded values have every field, deeply readonly', () => {
  type FetchRequest = Request<typeof Fetch>
  type<Equal<FetchRequest['clusterId'], string | null>>()
  type<Equal<FetchRequest['replicaState'], { readonly replicaId: number; readonly replicaEpoch: bigint }>>()
  type<Equal<FetchRequest['topics'][number]['partitions'][number]['fetchOffset'], bigint>>()
  type<Equal<FetchRequest['forgottenTopicsData'][number]['partitions'], readonly number[]>>()
  type<Equal<Response<typeof Fetch>['responses'][number]['partitions'][number]['records'], Uint8Array | null>>()
  type<
    Equal<
      Request<typeof Metadata>['topics'],
      readonly { readonly topicId: string; readonly name: string | null }[] | null
    >
  >()
  type<Equal<Request<typeof Metadata>['allowAutoTopicCreation'], boolean>>()
  const decoded = Metadata.request.decode(new Reader(Buffer.from('ffffffff', 'hex')), 1)
  type<Equal<typeof decoded, Request<typeof Metadata>>>()
  assert.deepEqual(decoded, {
    topics: null,
    allowAutoTopicCreation: true,
    includeClusterAuthorizedOperations: false,
    includeTopicAuthorizedOperations: false,
  })
  // @ts-expect-error -- decoded values may share defaults, so they are readonly.
  decoded.topics = []
})

test('fields with a default or a version limit may be left out when encoding, others not', () => {
  type Partition = ResponseInput<typeof Produce>['responses'][number]['partitionResponses'][number]
  type<Equal<Partition['baseOffset'], bigint>>()
  type<Equal<Partition['errorMessage'], string | null | undefined>>()
  const partition: Partition = { index: 0, errorCode: 0, baseOffset: 1n }
  Produce.response.encode(new Writer(), { responses: [{ name: 't', partitionResponses: [partition] }] }, 13)
  // @ts-expect-error -- errorCode is in every version and has no default.
  const incomplete: Partition = { index: 0, baseOffset: 1n }
  // @ts-expect-error -- int64 is bigint.
  const wrong: Partition = { index: 0, errorCode: 0, baseOffset: 1 }
  assert.notDeepEqual(incomplete, wrong)
})

test('what was decoded can be encoded again', () => {
  const writer = new Writer()
  const partition = { partitionIndex: 1, errorCode: 0, highWatermark: 5n, records: Uint8Array.of(1) }
  const partitions = [{ ...partition, abortedTransactions: [{ producerId: 1n, firstOffset: 2n }] }]
  Fetch.response.encode(writer, { responses: [{ topic: 't', partitions }] }, 12)
  const bytes = Buffer.concat(writer.finish())
  const decoded: ResponseInput<typeof Fetch> = Fetch.response.decode(new Reader(bytes), 12)
  const again = new Writer()
  Fetch.response.encode(again, decoded, 12)
  assert.deepEqual(Buffer.concat(again.finish()), bytes)
})

test('unknown fields and names are refused by the compiler', () => {
  // @ts-expect-error -- there is no such field.
  const input: RequestInput<typeof Metadata> = { topics: null, topicNames: [] }
  Metadata.request.encode(new Writer(), input, 1)
})
