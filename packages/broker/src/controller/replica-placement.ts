/**
 * Where the replicas of new partitions go. Striped over racks, as Kafka does it: the first replica of successive partitions goes round the
 * racks and, within a rack, round its brokers; the other replicas follow in the next racks. Fenced brokers never come first and come last
 * within their rack. After as many partitions as there are usable brokers the order is shuffled, so that the same sets do not repeat.
 */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { Random } from '@millrace/runtime'

export interface PlacementBroker {
  readonly id: number
  readonly rack: string | null
  readonly fenced: boolean
}

export interface Placement {
  readonly partitionCount: number
  readonly replicationFactor: number
}

/**
 * The replicas of each new partition, the preferred leader first.
 * @throws KafkaError INVALID_REPLICATION_FACTOR when it is not positive, above the number of brokers, or all brokers are fenced.
 */
export function placeReplicas(brokers: Iterable<PlacementBroker>, placement: Placement, random: Random): number[][] {
  const racks = new RackRing([...brokers], random)
  const { replicationFactor, partitionCount } = placement
  if (replicationFactor <= 0)
    throw unplaceable(`Invalid replication factor ${replicationFactor}: the replication factor must be positive.`)
  if (racks.usableCount === 0) throw unplaceable('All brokers are currently fenced.')
  if (replicationFactor > racks.brokerCount)
    throw unplaceable(
      `The target replication factor of ${replicationFactor} cannot be reached because only ${racks.brokerCount} broker(s) are registered.`,
    )
  return Array.from({ length: partitionCount }, () => racks.place(replicationFactor))
}

function unplaceable(message: string): KafkaError {
  return new KafkaError(ErrorCode.INVALID_REPLICATION_FACTOR, message)
}

/** Brokers taken in turn. Each round (one partition) starts one further than the round before. */
class BrokerRing {
  readonly #ids: number[]
  #offset: number
  #round = 0
  #taken = 0

  constructor(ids: number[], random: Random) {
    this.#ids = ids.toSorted((a, b) => a - b)
    this.#offset = ids.length === 0 ? 0 : random.integer(ids.length)
  }

  /** The next broker of this round; undefined when each was taken. */
  next(round: number): number | undefined {
    const count = this.#ids.length
    if (count === 0) return undefined
    if (this.#round !== round) {
      this.#round = round
      this.#taken = 0
      this.#offset = (this.#offset + 1) % count
    }
    if (this.#taken >= count) return undefined
    return this.#ids[(this.#taken++ + this.#offset) % count]
  }

  shuffle(random: Random): void {
    shuffle(this.#ids, random)
  }
}

interface Rack {
  readonly name: string | null
  readonly usable: BrokerRing
  readonly fenced: BrokerRing
}

class RackRing {
  readonly brokerCount: number
  readonly usableCount: number
  readonly #random: Random
  readonly #racks: Rack[]
  #offset: number
  #round = 0

  constructor(brokers: readonly PlacementBroker[], random: Random) {
    this.#random = random
    this.brokerCount = brokers.length
    this.usableCount = brokers.filter(({ fenced }) => !fenced).length
    const byRack = Map.groupBy(brokers, ({ rack }) => rack)
    this.#racks = [...byRack]
      .toSorted(([a], [b]) => compareRacks(a, b))
      .map(([name, members]) => ({
        name,
        usable: new BrokerRing(idsOf(members, false), random),
        fenced: new BrokerRing(idsOf(members, true), random),
      }))
    this.#offset = this.#racks.length === 0 ? 0 : random.integer(this.#racks.length)
  }

  /** There must be a usable broker, and at least `replicationFactor` brokers in all: else this would not end. */
  place(replicationFactor: number): number[] {
    if (this.#round === this.usableCount && this.usableCount > 1) {
      shuffle(this.#racks, this.#random)
      for (const { usable, fenced } of this.#racks) {
        usable.shuffle(this.#random)
        fenced.shuffle(this.#random)
      }
      this.#round = 0
    }
    const rackCount = this.#racks.length
    const replicas: number[] = []
    let leaderRack = this.#offset % rackCount
    for (;;) {
      const id = this.#racks[leaderRack]?.usable.next(this.#round)
      if (id !== undefined) {
        replicas.push(id)
        break
      }
      leaderRack = (leaderRack + 1) % rackCount
    }
    // The leader's rack is passed over once; later rounds over the racks take from it too.
    let mayPassLeaderRack = true
    for (let at = this.#offset % rackCount; replicas.length < replicationFactor; at = (at + 1) % rackCount) {
      if (mayPassLeaderRack && at === leaderRack) {
        mayPassLeaderRack = false
        continue
      }
      const rack = this.#racks[at]
      const id = rack?.usable.next(this.#round) ?? rack?.fenced.next(this.#round)
      if (id !== undefined) replicas.push(id)
    }
    this.#round++
    this.#offset = (this.#offset + 1) % rackCount
    return replicas
  }
}

function idsOf(brokers: readonly PlacementBroker[], fenced: boolean): number[] {
  return brokers.filter((broker) => broker.fenced === fenced).map(({ id }) => id)
}

/** Brokers without a rack come first. */
function compareRacks(a: string | null, b: string | null): number {
  if (a === b) return 0
  if (a === null) return -1
  return b === null || a > b ? 1 : -1
}

function shuffle<T>(values: T[], random: Random): void {
  for (let last = values.length - 1; last > 0; last--) {
    const other = random.integer(last + 1)
    const value = values[last] as T
    values[last] = values[other] as T
    values[other] = value
  }
}
