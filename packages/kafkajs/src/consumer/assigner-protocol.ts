/** The bytes in which assigners put what members are and what they are assigned: Kafka's consumer protocol, version 0. */

/** Texts and lists as Kafka has them: lengths in front. */
class Bytes {
  readonly #parts: Buffer[] = []

  int16(value: number): this {
    const bytes = Buffer.alloc(2)
    bytes.writeInt16BE(value)
    this.#parts.push(bytes)
    return this
  }

  int32(value: number): this {
    const bytes = Buffer.alloc(4)
    bytes.writeInt32BE(value)
    this.#parts.push(bytes)
    return this
  }

  text(value: string): this {
    const bytes = Buffer.from(value, 'utf8')
    this.int16(bytes.length)
    this.#parts.push(bytes)
    return this
  }

  list<T>(values: readonly T[], write: (value: T) => void): this {
    this.int32(values.length)
    for (const value of values) write(value)
    return this
  }

  bytes(value: Uint8Array): this {
    this.int32(value.length)
    this.#parts.push(Buffer.from(value))
    return this
  }

  finish(): Buffer {
    return Buffer.concat(this.#parts)
  }
}

class Reading {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  int16(): number {
    this.#at += 2
    return this.#bytes.readInt16BE(this.#at - 2)
  }

  int32(): number {
    this.#at += 4
    return this.#bytes.readInt32BE(this.#at - 4)
  }

  text(): string {
    const length = this.int16()
    this.#at += length
    return this.#bytes.toString('utf8', this.#at - length, this.#at)
  }

  list<T>(read: () => T): T[] {
    return Array.from({ length: Math.max(0, this.int32()) }, read)
  }

  bytes(): Buffer {
    if (this.#at >= this.#bytes.length) return Buffer.alloc(0)
    const length = Math.max(0, this.int32())
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }
}

const nothing = Buffer.alloc(0)

export interface ISerializer<T> {
  encode(value: T): Buffer
  decode(buffer: Buffer): T | null
}

/** Values as they are read. Members without data of their own may leave `userData` out in writing. */
export interface MemberMetadata {
  version: number
  topics: string[]
  userData: Buffer
}

export type Assignment = Record<string, number[]>

export interface MemberAssignment {
  version: number
  assignment: Assignment
  userData: Buffer
}

type Written<T extends { userData: Buffer }> = Omit<T, 'userData'> & Partial<Pick<T, 'userData'>>

export const MemberMetadata = {
  encode({ version, topics, userData = nothing }: Written<MemberMetadata>): Buffer {
    const bytes = new Bytes().int16(version)
    return bytes
      .list(topics, (topic) => bytes.text(topic))
      .bytes(userData)
      .finish()
  },
  decode(buffer: Buffer): MemberMetadata {
    const reading = new Reading(buffer)
    return { version: reading.int16(), topics: reading.list(() => reading.text()), userData: reading.bytes() }
  },
}

export const MemberAssignment = {
  encode({ version, assignment, userData = nothing }: Written<MemberAssignment>): Buffer {
    const bytes = new Bytes().int16(version)
    return bytes
      .list(Object.entries(assignment), ([topic, partitions]) => {
        bytes.text(topic).list(partitions, (partition) => bytes.int32(partition))
      })
      .bytes(userData)
      .finish()
  },
  /** Null for no bytes: a member that is assigned nothing. */
  decode(buffer: Buffer): MemberAssignment | null {
    if (buffer.length < 2) return null
    const reading = new Reading(buffer)
    const version = reading.int16()
    const assignment = Object.fromEntries(
      reading.list(() => [reading.text(), reading.list(() => reading.int32())] as const),
    )
    return { version, assignment, userData: reading.bytes() }
  },
}

export const AssignerProtocol = { MemberMetadata, MemberAssignment } as const
