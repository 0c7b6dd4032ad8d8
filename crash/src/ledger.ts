/** What was sent to one partition, what of it was acknowledged, and whether what is stored agrees. */
import type { CrashPartition, StoredRecord } from './crash-target.ts'

/** A record's value tells its number; the filling follows from the number. */
export function valueOf(number: number, sizeBytes: number): string {
  return `${number}:${sizeBytes}:`.padEnd(sizeBytes, String.fromCharCode(97 + (number % 26)))
}

/** null for what `valueOf` does not make. */
export function numberOf(value: string): number | null {
  const match = /^(\d+):(\d+):/.exec(value)
  if (match === null) return null
  const number = Number(match[1])
  return valueOf(number, Number(match[2])) === value ? number : null
}

/** What was sent to one partition, and the rules that what is stored must keep. */
export interface PartitionLedger {
  readonly partition: CrashPartition
  readonly acknowledged: number
  /** Where the next check has to read from. */
  readonly checkedEnd: bigint
  /** Numbers for records about to be sent. */
  send(count: number): number
  acknowledge(first: number, count: number, offset: bigint): void
  /** Checks what was read from `checkedEnd` on. Returns how many records were found that had not been acknowledged. */
  check(records: readonly StoredRecord[]): number
  /** Checks the log from its start against what earlier checks have found. */
  checkAll(records: readonly StoredRecord[]): void
}

export class Ledger implements PartitionLedger {
  readonly partition: CrashPartition
  acknowledged = 0
  #sent = 0
  /** By number; only what no check has found yet. */
  readonly #offsets = new Map<number, bigint>()
  /** Number of the record at each offset that a check has found. */
  readonly #found: number[] = []
  readonly #seen = new Set<number>()

  constructor(partition: CrashPartition) {
    this.partition = partition
  }

  get checkedEnd(): bigint {
    return BigInt(this.#found.length)
  }

  send(count: number): number {
    const first = this.#sent
    this.#sent += count
    return first
  }

  acknowledge(first: number, count: number, offset: bigint): void {
    for (let i = 0; i < count; i++) this.#offsets.set(first + i, offset + BigInt(i))
    this.acknowledged += count
  }

  check(records: readonly StoredRecord[]): number {
    let unacknowledged = 0
    for (const { offset, value } of records) {
      if (offset !== this.checkedEnd) throw this.#error(`expected offset ${this.checkedEnd}, found ${offset}`)
      const number = numberOf(value)
      if (number === null) throw this.#error(`at ${offset}: not a value that was ever sent: ${value.slice(0, 80)}`)
      if (number >= this.#sent) throw this.#error(`at ${offset}: record ${number} was never sent`)
      if (this.#seen.has(number)) throw this.#error(`at ${offset}: record ${number} is there a second time`)
      const acknowledgedAt = this.#offsets.get(number)
      if (acknowledgedAt === undefined) unacknowledged++
      else if (acknowledgedAt !== offset)
        throw this.#error(`record ${number} was acknowledged at ${acknowledgedAt} and is at ${offset}`)
      this.#offsets.delete(number)
      this.#seen.add(number)
      this.#found.push(number)
    }
    for (const [number, offset] of this.#offsets)
      throw this.#error(`record ${number}, acknowledged at ${offset}, is lost; the log ends at ${this.checkedEnd}`)
    return unacknowledged
  }

  checkAll(records: readonly StoredRecord[]): void {
    if (records.length !== this.#found.length)
      throw this.#error(`${this.#found.length} records were found before, now there are ${records.length}`)
    records.forEach(({ offset, value }, index) => {
      if (offset !== BigInt(index)) throw this.#error(`expected offset ${index}, found ${offset}`)
      if (numberOf(value) !== this.#found[index])
        throw this.#error(`at ${offset}: expected record ${this.#found[index]}, found ${value.slice(0, 80)}`)
    })
  }

  #error(message: string): Error {
    return new Error(`${this.partition.topic}-${this.partition.partition}: ${message}`)
  }
}
