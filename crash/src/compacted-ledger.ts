/** What was sent to a partition of a compacted topic: of each key the last acknowledged record has to be there, or a later one. */
import { keyOf, type CrashPartition, type StoredRecord } from './crash-target.ts'
import { numberOf, valueOf, type PartitionLedger } from './ledger.ts'

export class CompactedLedger implements PartitionLedger {
  readonly partition: CrashPartition
  /** Compaction changes what was checked before. */
  readonly checkedEnd = 0n
  acknowledged = 0
  #sent = 0
  /** Number of the record at each offset that was acknowledged or found. */
  readonly #numbers = new Map<bigint, number>()
  readonly #lastOfKey = new Map<string, bigint>()
  /** Offsets at which a check has found nothing any more. */
  readonly #gone = new Set<bigint>()

  constructor(partition: CrashPartition) {
    this.partition = partition
  }

  send(count: number): number {
    const first = this.#sent
    this.#sent += count
    return first
  }

  acknowledge(first: number, count: number, offset: bigint): void {
    for (let i = 0; i < count; i++) this.#note(offset + BigInt(i), first + i)
    this.acknowledged += count
  }

  #note(offset: bigint, number: number): void {
    this.#numbers.set(offset, number)
    const key = this.#keyOf(number)
    const last = this.#lastOfKey.get(key)
    if (last === undefined || last < offset) this.#lastOfKey.set(key, offset)
  }

  check(records: readonly StoredRecord[]): number {
    let unacknowledged = 0
    let previous = -1n
    const found = new Set<bigint>()
    const seen = new Set<number>()
    for (const { offset, value } of records) {
      const number = numberOf(value)
      if (offset <= previous) throw this.#error(`offset ${offset} follows ${previous}`)
      if (number === null || number >= this.#sent)
        throw this.#error(`at ${offset}: not a record that was ever sent: ${value.slice(0, 80)}`)
      if (seen.has(number)) throw this.#error(`at ${offset}: record ${number} is there a second time`)
      if (this.#gone.has(offset)) throw this.#error(`at ${offset}: record ${number} is back after it was gone`)
      const expected = this.#numbers.get(offset)
      if (expected === undefined) {
        unacknowledged++
        this.#note(offset, number)
      } else if (expected !== number) throw this.#error(`at ${offset}: expected record ${expected}, found ${number}`)
      previous = offset
      found.add(offset)
      seen.add(number)
    }
    for (const [key, offset] of this.#lastOfKey)
      if (!found.has(offset)) throw this.#error(`the last record of ${key}, at ${offset}, is lost`)
    for (const offset of this.#numbers.keys()) if (!found.has(offset)) this.#gone.add(offset)
    return unacknowledged
  }

  checkAll(records: readonly StoredRecord[]): void {
    this.check(records)
  }

  #keyOf(number: number): string {
    return keyOf(this.partition.topic, valueOf(number, 0))!
  }

  #error(message: string): Error {
    return new Error(`${this.partition.topic}-${this.partition.partition}: ${message}`)
  }
}
