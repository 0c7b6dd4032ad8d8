/** KafkaJS's partitioners. */
import type { PartitionDescription, Partitioner } from '@millrace/client'
import { bytesFrom, type Message } from '../message.ts'

export interface PartitionMetadata {
  readonly partitionErrorCode: number
  readonly partitionId: number
  readonly leader: number
  readonly replicas: number[]
  readonly isr: number[]
  readonly offlineReplicas?: number[]
}

/** As the client describes the partition. */
export function partitionMetadata({
  partition,
  leaderId,
  replicas,
  inSyncReplicas,
  offlineReplicas,
}: PartitionDescription): PartitionMetadata {
  return {
    partitionErrorCode: 0,
    partitionId: partition,
    leader: leaderId ?? -1,
    replicas: [...replicas],
    isr: [...inSyncReplicas],
    offlineReplicas: [...offlineReplicas],
  }
}

export interface PartitionerArgs {
  readonly topic: string
  readonly partitionMetadata: PartitionMetadata[]
  readonly message: Message
}

export type ICustomPartitioner = () => (args: PartitionerArgs) => number

export type DefaultPartitioner = ICustomPartitioner
export type LegacyPartitioner = ICustomPartitioner

/** As Java's: murmur2 of the key; without key one partition after the other. */
const DefaultPartitioner: ICustomPartitioner = () => byKey(murmur2)
/** Of KafkaJS before 2.0: its hash strays from murmur2 where products pass 2^53. */
const LegacyPartitioner: ICustomPartitioner = () => byKey(formerHash)

export const Partitioners = {
  DefaultPartitioner,
  LegacyPartitioner,
  JavaCompatiblePartitioner: DefaultPartitioner,
} as const

/** What producers without a partitioner of the program's own use: the default one, for the client to call. */
export function defaultPartitioner(): Partitioner {
  const nextTurn = turns()
  return ({ topic, key, partitionsCount, availablePartitions: available }) => {
    if (key !== null) return positive(murmur2(Buffer.from(key as string))) % partitionsCount
    const turn = nextTurn(topic)
    return available.length === 0 ? turn % partitionsCount : available[turn % available.length]!
  }
}

function byKey(hash: (key: Uint8Array) => number): ReturnType<ICustomPartitioner> {
  const nextTurn = turns()
  return ({ topic, partitionMetadata, message }) => {
    if (message.partition !== undefined && message.partition !== null) return message.partition
    const key = bytesFrom(message.key)
    if (key !== null) return positive(hash(Buffer.from(key as string))) % partitionMetadata.length
    const turn = nextTurn(topic)
    const available = partitionMetadata.filter(({ leader }) => leader >= 0)
    if (available.length === 0) return turn % partitionMetadata.length
    return available[turn % available.length]!.partitionId
  }
}

/** Each topic for itself, beginning anywhere. */
function turns(): (topic: string) => number {
  const counters = new Map<string, number>()
  return (topic) => {
    const turn = positive((counters.get(topic) ?? Math.floor(Math.random() * 0x7fff_ffff)) + 1)
    counters.set(topic, turn)
    return turn
  }
}

function positive(hash: number): number {
  return hash & 0x7fff_ffff
}

const SEED = 0x9747_b28c
const M = 0x5bd1_e995
const R = 24

function murmur2(key: Uint8Array): number {
  return hashed(key, Math.floor(key.length / 4), Math.imul)
}

/** Floating point products, rounded above 2^53, and one round more for the bytes that are left. */
function formerHash(key: Uint8Array): number {
  return hashed(key, Math.ceil(key.length / 4), (one, other) => one * other)
}

function hashed(key: Uint8Array, rounds: number, multiply: (one: number, other: number) => number): number {
  const { length } = key
  let h = SEED ^ length
  for (let round = 0; round < rounds; round++) {
    const at = round * 4
    let k = byte(key, at) + (byte(key, at + 1) << 8) + (byte(key, at + 2) << 16) + (byte(key, at + 3) << 24)
    k = multiply(k, M)
    k ^= k >>> R
    k = multiply(k, M)
    h = multiply(h, M)
    h ^= k
  }
  const rest = length & 3
  const tail = length & ~3
  if (rest === 3) h ^= byte(key, tail + 2) << 16
  if (rest >= 2) h ^= byte(key, tail + 1) << 8
  if (rest >= 1) {
    h ^= byte(key, tail)
    h = multiply(h, M)
  }
  h ^= h >>> 13
  h = multiply(h, M)
  h ^= h >>> 15
  return h
}

/** 0 behind the end. */
function byte(key: Uint8Array, at: number): number {
  return key[at] ?? 0
}
