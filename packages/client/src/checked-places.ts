/** Places in partitions, as applications name them. A number too large for its field would reach the broker as another one. */
import type { TopicPartition } from './record.ts'

const largestPartition = 0x7fff_ffff
const largestEpoch = 0x7fff_ffff
const largestOffset = 0x7fff_ffff_ffff_ffffn

export function isPartition(one: TopicPartition): boolean {
  return (
    typeof one?.topic === 'string' &&
    one.topic !== '' &&
    Number.isInteger(one.partition) &&
    one.partition >= 0 &&
    one.partition <= largestPartition
  )
}

/** @throws TypeError naming `operation`. */
export function checkPartitions(partitions: readonly TopicPartition[], operation: string): void {
  if (!Array.isArray(partitions) || !partitions.every(isPartition))
    throw new TypeError(`${operation} expects a list of { topic, partition }`)
}

/** What may come as null from JavaScript is as good as left out. */
interface Place extends TopicPartition {
  readonly offset: bigint
  readonly leaderEpoch?: number | null
  readonly metadata?: string | null
}

/** Returns it. `expected`: what to say of what is none. @throws TypeError, RangeError for what cannot be committed. */
export function checkPlace<P extends Place>(one: P, expected: string): P {
  if (!isPartition(one) || typeof one.offset !== 'bigint') throw new TypeError(expected)
  checkOffset(one.offset, 'be committed')
  const { leaderEpoch, metadata } = one
  if (!isAbsent(leaderEpoch) && !(Number.isInteger(leaderEpoch) && leaderEpoch >= -1 && leaderEpoch <= largestEpoch))
    throw new TypeError(`the leaderEpoch of a place should be a whole number, but is ${String(leaderEpoch)}`)
  if (!isAbsent(metadata) && typeof metadata !== 'string')
    throw new TypeError(`the metadata of a place should be a text, but are ${String(metadata)}`)
  return one
}

/** @throws RangeError */
export function checkOffset(offset: bigint, what: string): void {
  if (offset < 0n) throw new RangeError(`offset ${offset} cannot ${what}: offsets begin at 0`)
  if (offset > largestOffset) throw new RangeError(`offset ${offset} cannot ${what}: offsets end at ${largestOffset}`)
}

function isAbsent(value: unknown): value is null | undefined {
  return value === null || value === undefined
}
