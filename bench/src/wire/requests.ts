// Requests for topics and records, in their last versions before flexible encoding.
import type { Connection } from './connection.ts'
import { FieldReader, FieldWriter } from './fields.ts'

export async function apiVersions(connection: Connection): Promise<void> {
  await connection.request(18, 2, Buffer.alloc(0))
}

export interface TopicListing {
  readonly name: string
  readonly errorCode: number
  /** Leader's node id of each partition; -1 without one. */
  readonly leaders: readonly number[]
}

/** Metadata v7. null asks for all topics; topics named here are auto-created. */
export async function metadata(connection: Connection, topics: readonly string[] | null): Promise<TopicListing[]> {
  const request = new FieldWriter()
  if (topics === null) request.int32(-1)
  else request.array(topics, (name) => request.string(name))
  request.int8(1)
  const response = new FieldReader(await connection.request(3, 7, request.finish()))
  response.int32() // throttle time
  response.array(() => [response.int32(), response.string(), response.int32(), response.string()]) // brokers
  response.string() // cluster id
  response.int32() // controller
  return response.array(() => {
    const errorCode = response.int16()
    const name = response.string() ?? ''
    response.int8() // internal
    const partitions = response.array(() => {
      response.int16() // error
      const index = response.int32()
      const leader = response.int32()
      response.int32() // leader epoch
      for (let list = 0; list < 3; list++) response.array(() => response.int32()) // replicas, in-sync, offline
      return { index, leader }
    })
    return { name, errorCode, leaders: partitions.toSorted((a, b) => a.index - b.index).map(({ leader }) => leader) }
  })
}

/** CreateTopics v4 of topics with one replica. @throws Error for the first topic that was not created. */
export async function createTopics(
  connection: Connection,
  topics: readonly { readonly name: string; readonly partitions: number }[],
): Promise<void> {
  const request = new FieldWriter()
  request.array(topics, ({ name, partitions }) => request.string(name).int32(partitions).int16(1).int32(0).int32(0))
  request.int32(60_000).int8(0)
  const response = new FieldReader(await connection.request(19, 4, request.finish()))
  response.int32() // throttle time
  response.array(() => {
    const name = response.string()
    const errorCode = response.int16()
    const message = response.string()
    if (errorCode !== 0) throw new Error(`CreateTopics: ${name}: error ${errorCode}: ${message}`)
  })
}

/** DeleteTopics v3. @throws Error when it was not deleted. */
export async function deleteTopic(connection: Connection, name: string): Promise<void> {
  const request = new FieldWriter()
  request.array([name], (topic) => request.string(topic))
  request.int32(60_000)
  const response = new FieldReader(await connection.request(20, 3, request.finish()))
  response.int32() // throttle time
  response.array(() => {
    const topic = response.string()
    const errorCode = response.int16()
    if (errorCode !== 0) throw new Error(`DeleteTopics: ${topic}: error ${errorCode}`)
  })
}

export interface Batch {
  readonly topic: string
  readonly partition: number
  readonly records: Uint8Array
}

/** Produce v7, acks=-1. Returns the error code of each batch's partition, in the order of the response. */
export async function produce(connection: Connection, batches: readonly Batch[]): Promise<number[]> {
  const request = new FieldWriter().string(null).int16(-1).int32(30_000)
  request.array([...Map.groupBy(batches, ({ topic }) => topic)], ([topic, partitions]) => {
    request.string(topic)
    request.array(partitions, ({ partition, records }) => request.int32(partition).bytes(records))
  })
  const response = new FieldReader(await connection.request(0, 7, request.finish()))
  return response
    .array(() => {
      response.string()
      return response.array(() => {
        response.int32()
        const errorCode = response.int16()
        for (let field = 0; field < 3; field++) response.int64() // base offset, append time, log start offset
        return errorCode
      })
    })
    .flat()
}
