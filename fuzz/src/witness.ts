/** A well-behaved client among the vandals: writes records and reads every one of them back. */
import {
  ErrorCode,
  Fetch,
  FindCoordinator,
  Metadata,
  OffsetCommit,
  OffsetFetch,
  Produce,
  readRecords,
  RecordBatchBuilder,
} from '@millrace/protocol'
import { RawClient } from '@millrace/broker/testing'

const topic = 'witness'
const group = 'witness'

export class Witness {
  readonly #written: string[] = []
  #committed = -1n

  get written(): number {
    return this.#written.length
  }

  async makeTopic(port: number): Promise<void> {
    const client = await RawClient.open(port)
    for (let attempt = 0; attempt < 50; attempt++) {
      const { topics } = await client.ask(Metadata, 4, { topics: [{ name: topic }], allowAutoTopicCreation: true })
      if (topics[0]?.errorCode === ErrorCode.NONE) return client.close()
    }
    throw new Error('the witness topic could not be created')
  }

  /** Writes one record, and reads all. @throws Error when anything is missing, changed or slow. */
  async check(port: number): Promise<void> {
    const client = await RawClient.open(port)
    const value = `record ${this.#written.length}`
    const builder = new RecordBatchBuilder({})
    builder.append({ key: null, value: Buffer.from(value), timestamp: BigInt(Date.now()) })
    const produced = await client.ask(Produce, 7, {
      acks: -1,
      timeoutMs: 5000,
      topicData: [{ name: topic, partitionData: [{ index: 0, records: builder.build() }] }],
    })
    const { errorCode, baseOffset } = produced.responses[0]!.partitionResponses[0]!
    if (errorCode !== ErrorCode.NONE || baseOffset !== BigInt(this.#written.length))
      throw new Error(`record ${this.#written.length} was answered with error ${errorCode}, offset ${baseOffset}`)
    this.#written.push(value)
    await this.readAll(client)
    await this.#commit(client)
    client.close()
  }

  /** Says how far it has read, and is told what it said the last time. */
  async #commit(client: RawClient): Promise<void> {
    await client.ask(FindCoordinator, 4, { keyType: 0, coordinatorKeys: [group] })
    const wanted = { groups: [{ groupId: group, topics: [{ name: topic, partitionIndexes: [0] }] }] }
    const [committed] = (await client.ask(OffsetFetch, 8, wanted)).groups
    // While the coordinator is loading.
    if (committed!.errorCode !== ErrorCode.NONE) return
    const { committedOffset } = committed!.topics[0]!.partitions[0]!
    if (committedOffset !== this.#committed)
      throw new Error(`offset ${this.#committed} was committed, and ${committedOffset} is there`)
    const partition = { partitionIndex: 0, committedOffset: BigInt(this.#written.length), committedMetadata: '' }
    const { topics } = await client.ask(OffsetCommit, 8, {
      groupId: group,
      generationIdOrMemberEpoch: -1,
      memberId: '',
      topics: [{ name: topic, partitions: [partition] }],
    })
    const { errorCode } = topics[0]!.partitions[0]!
    if (errorCode !== ErrorCode.NONE) throw new Error(`a commit was answered with error ${errorCode}`)
    this.#committed = partition.committedOffset
  }

  async readAll(client: RawClient): Promise<void> {
    const read: string[] = []
    while (read.length < this.#written.length) {
      const answer = await client.ask(Fetch, 11, {
        maxWaitMs: 1000,
        minBytes: 1,
        maxBytes: 10_000_000,
        topics: [
          {
            topic,
            partitions: [{ partition: 0, fetchOffset: BigInt(read.length), partitionMaxBytes: 10_000_000 }],
          },
        ],
      })
      const partition = answer.responses[0]?.partitions[0]
      if (partition === undefined || partition.errorCode !== ErrorCode.NONE || !partition.records?.length)
        throw new Error(
          `reading at ${read.length} of ${this.#written.length} was answered with error ${partition?.errorCode}`,
        )
      for (const { offset, value } of readRecords(partition.records))
        if (offset >= BigInt(read.length)) read.push(Buffer.from(value!).toString())
    }
    read.forEach((value, offset) => {
      if (value !== this.#written[offset])
        throw new Error(`offset ${offset} holds '${value}', not '${this.#written[offset]}'`)
    })
  }
}
