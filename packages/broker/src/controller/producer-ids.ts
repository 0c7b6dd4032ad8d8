/**
 * Producer ids for this broker's idempotent producers, taken from the controller in blocks of 1000. An id is given out once in the life of the
 * cluster: a block is durable in the coordination tree before any id of it is used, and what is left of one at a restart is lost.
 */

export interface ProducerIdRange {
  readonly start: bigint
  readonly length: number
}

export type ProducerIdSource = (brokerId: number) => Promise<ProducerIdRange>

/** With this few ids left the next block is asked for, so that nobody has to wait for it. */
const PREFETCH_AT = 100

export class ProducerIds {
  readonly #brokerId: number
  readonly #allocate: ProducerIdSource
  #next = 0n
  #remaining = 0
  #following: ProducerIdRange | null = null
  #request: Promise<void> | null = null

  constructor(options: { readonly brokerId: number; readonly allocate: ProducerIdSource }) {
    this.#brokerId = options.brokerId
    this.#allocate = options.allocate
  }

  /** An id nobody had before. @throws KafkaError of the controller when a new block is needed and cannot be had. */
  async next(): Promise<bigint> {
    while (this.#remaining === 0) {
      if (this.#following === null) {
        await this.#fetch()
        continue
      }
      this.#next = this.#following.start
      this.#remaining = this.#following.length
      this.#following = null
    }
    this.#remaining--
    const id = this.#next++
    if (this.#remaining <= PREFETCH_AT && this.#following === null && this.#request === null) {
      // A failure is the business of whoever needs the block later.
      this.#fetch().catch(() => {})
    }
    return id
  }

  #fetch(): Promise<void> {
    this.#request ??= this.#allocate(this.#brokerId)
      .then((range) => {
        this.#following = range
      })
      .finally(() => {
        this.#request = null
      })
    return this.#request
  }
}
