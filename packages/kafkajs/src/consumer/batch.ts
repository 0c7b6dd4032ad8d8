/** A batch as KafkaJS's handlers get it. */
import type { ConsumerBatch } from '@millrace/client'
import { messageFrom, type KafkaMessage } from '../message.ts'

export interface Batch {
  readonly topic: string
  readonly partition: number
  readonly highWatermark: string
  readonly messages: KafkaMessage[]
  isEmpty(): boolean
  firstOffset(): string | null
  lastOffset(): string
  /** Messages behind the last of the batch. */
  offsetLag(): string
  /** Messages behind the first of the batch. */
  offsetLagLow(): string
}

export function batchFrom(source: ConsumerBatch<Uint8Array, Uint8Array>): Batch {
  const { topic, partition, highWatermark, firstOffset, end } = source
  const last = highWatermark - 1n
  // Markers of transactions and records that were compacted away count, as with KafkaJS: behind them the lag is 0.
  const lastOffset = end.offset - 1n
  return {
    topic,
    partition,
    highWatermark: highWatermark.toString(),
    messages: Array.from(source, messageFrom),
    isEmpty: () => source.count === 0,
    firstOffset: () => (source.count === 0 ? null : firstOffset.toString()),
    lastOffset: () => lastOffset.toString(),
    offsetLag: () => (last - lastOffset).toString(),
    offsetLagLow: () => (source.count === 0 ? '0' : (last - firstOffset).toString()),
  }
}
