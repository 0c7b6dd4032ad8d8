/** The least member of a share group: one session, on a connection of its own. */
import {
  batchPositions,
  ErrorCode,
  InitializeShareGroupState,
  readRecords,
  ShareAcknowledge,
  ShareFetch,
  type RequestInput,
  type Response,
} from '@millrace/protocol'
import type { RawClient } from './raw-client.ts'
import { until } from './until.ts'

export type ShareFetched = Response<typeof ShareFetch>

export interface ShareFetchOptions {
  readonly maxWaitMs?: number
  readonly minBytes?: number
  readonly maxBytes?: number
  readonly maxRecords?: number
  readonly batchSize?: number
  readonly isRecordLimit?: boolean
  readonly isRenewAck?: boolean
  readonly partitions?: readonly number[]
  readonly epoch?: number
  /** `first-last:types`, for partition 0. */
  readonly acknowledge?: readonly string[]
}

/** What a group coordinator does before it assigns partitions. */
export async function initializeShareState(
  client: RawClient,
  groupId: string,
  topicId: string,
  { partitions = 1, startOffset = 0n }: { partitions?: number; startOffset?: bigint } = {},
): Promise<void> {
  await until(async () => {
    const { results } = await client.ask(InitializeShareGroupState, 0, {
      groupId,
      topics: [
        {
          topicId,
          partitions: Array.from({ length: partitions }, (_, partition) => ({ partition, stateEpoch: 0, startOffset })),
        },
      ],
    })
    const failure = results[0]!.partitions.find(({ errorCode }) => errorCode !== ErrorCode.NONE)
    if (failure === undefined) return true
    if (failure.errorCode === ErrorCode.COORDINATOR_LOAD_IN_PROGRESS) return false
    throw new Error(`share state was not initialized: ${failure.errorCode} ${failure.errorMessage}`)
  })
}

export class ShareMember {
  readonly #client: RawClient
  readonly #groupId: string
  readonly #memberId: string
  readonly #topicId: string
  epoch = 0

  constructor(client: RawClient, options: { groupId: string; memberId: string; topicId: string }) {
    this.#client = client
    this.#groupId = options.groupId
    this.#memberId = options.memberId
    this.#topicId = options.topicId
  }

  async fetch(options: ShareFetchOptions = {}): Promise<ShareFetched> {
    const { maxWaitMs = 0, minBytes = 1, maxBytes = 1 << 20, maxRecords = 500, batchSize = 500 } = options
    const { isRecordLimit = false, isRenewAck = false, acknowledge = [], epoch = this.epoch } = options
    const wanted = options.partitions ?? (this.epoch === 0 || acknowledge.length > 0 ? [0] : [])
    const answer = await this.#client.ask(ShareFetch, 2, {
      groupId: this.#groupId,
      memberId: this.#memberId,
      shareSessionEpoch: epoch,
      maxWaitMs,
      minBytes,
      maxBytes,
      maxRecords,
      batchSize,
      shareAcquireMode: isRecordLimit ? 1 : 0,
      isRenewAck,
      topics: [
        { topicId: this.#topicId, partitions: wanted.map((index) => partition(index, index === 0 ? acknowledge : [])) },
      ],
      forgottenTopicsData: [],
    })
    if (answer.errorCode === ErrorCode.NONE) this.epoch = epoch < 0 ? 0 : epoch + 1
    return answer
  }

  /** Returns the error codes: of the request, then of partition 0. */
  async acknowledge(
    acknowledge: readonly string[],
    { epoch = this.epoch, isRenewAck = false } = {},
  ): Promise<number[]> {
    const { errorCode, responses } = await this.#client.ask(ShareAcknowledge, 2, {
      groupId: this.#groupId,
      memberId: this.#memberId,
      shareSessionEpoch: epoch,
      isRenewAck,
      topics: [{ topicId: this.#topicId, partitions: [partition(0, acknowledge)] }],
    })
    if (errorCode === ErrorCode.NONE) this.epoch = epoch < 0 ? 0 : epoch + 1
    return [errorCode, ...responses.flatMap(({ partitions }) => partitions.map((one) => one.errorCode))]
  }

  close(): void {
    this.#client.close()
  }
}

type FetchPartition = RequestInput<typeof ShareFetch>['topics'][number]['partitions'][number]

function partition(partitionIndex: number, acknowledge: readonly string[]): FetchPartition {
  return {
    partitionIndex,
    acknowledgementBatches: acknowledge.map((text) => {
      const [range = '', types = ''] = text.split(':')
      const [first = '0', last = first] = range.split('-')
      return { firstOffset: BigInt(first), lastOffset: BigInt(last), acknowledgeTypes: types.split(',').map(Number) }
    }),
  }
}

/** `partition:first-last×deliveries`, or `partition!error`, for everything in the answer. */
export function acquiredIn({ responses }: ShareFetched): string[] {
  return responses.flatMap(({ partitions }) =>
    partitions.flatMap(({ partitionIndex, errorCode, acquiredRecords }) =>
      errorCode === ErrorCode.NONE
        ? acquiredRecords.map((one) => `${partitionIndex}:${one.firstOffset}-${one.lastOffset}×${one.deliveryCount}`)
        : [`${partitionIndex}!${errorCode}`],
    ),
  )
}

/** The values of all records that came, acquired or not. */
export function valuesIn({ responses }: ShareFetched): string[] {
  return responses.flatMap(({ partitions }) => partitions.flatMap(({ records }) => valuesOf(records ?? noRecords)))
}

const noRecords = new Uint8Array(0)

function valuesOf(records: Uint8Array): string[] {
  const values: string[] = []
  for (const at of batchPositions(records))
    for (const { value } of readRecords(records, at)) values.push(Buffer.from(value ?? noRecords).toString())
  return values
}
