/**
 * Names for what two brokers call differently: member ids, producer ids, topic ids. The first time both answer with an id in the same
 * place, the two become one identity, and from then on must always come together. Requests are written with the names, and each
 * broker is sent its own id.
 */

export type Side = 'kafka' | 'ours'
export type Id = string | bigint

/** Named producer ids are bigints, as the fields are; no broker hands out ids as large. */
const firstNamedNumber = 0x7000_0000_0000_0000n
const randomPart = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|^[A-Za-z0-9_-]{22}$/g

interface Identity {
  readonly name: Id
  readonly kafka: Id
  readonly ours: Id
}

export class Identities {
  readonly #byName = new Map<Id, Identity>()
  readonly #byId = { kafka: new Map<Id, Identity>(), ours: new Map<Id, Identity>() }
  #count = 0

  /** The name under which both ids are known, made when neither is; null when they do not belong together. */
  nameOf(kafka: Id, ours: Id, field: string): Id | null {
    const known = this.#byId.kafka.get(kafka)
    const alsoKnown = this.#byId.ours.get(ours)
    if (known !== undefined || alsoKnown !== undefined) return known === alsoKnown ? known!.name : null
    if (typeof kafka === 'string' && typeof ours === 'string') {
      if (kafka === ours && kafka.search(randomPart) < 0) return kafka
      if (skeleton(kafka) !== skeleton(ours)) return null
    }
    const number = ++this.#count
    const name = typeof kafka === 'bigint' ? firstNamedNumber + BigInt(number) : `<${field} ${number}>`
    const identity = { name, kafka, ours }
    this.#byName.set(name, identity)
    this.#byId.kafka.set(kafka, identity)
    this.#byId.ours.set(ours, identity)
    return name
  }

  /** What is said in place of the id when nothing to pair it with is at hand. */
  describe(id: Id, side: Side): string {
    const known = this.#byId[side].get(id)
    if (known !== undefined) return String(known.name)
    return typeof id === 'string' ? skeleton(id) : '?'
  }

  /** `request` with every name replaced by the id that `side` knows. */
  resolve<Value>(request: Value, side: Side): Value {
    return this.#resolve(request, side) as Value
  }

  #resolve(value: unknown, side: Side): unknown {
    if (typeof value === 'string' || typeof value === 'bigint') return this.#byName.get(value)?.[side] ?? value
    if (Array.isArray(value)) return value.map((element) => this.#resolve(element, side))
    if (value === null || typeof value !== 'object' || value instanceof Uint8Array) return value
    return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, this.#resolve(field, side)]))
  }
}

function skeleton(id: string): string {
  return id.replaceAll(randomPart, '*')
}
