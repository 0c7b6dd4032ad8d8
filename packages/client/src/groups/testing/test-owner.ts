/** An owner of partitions for tests: has what it was given, remembers the calls in order, and can be made to take its time. */
import type { Membership, MembershipOwner, Subscription } from '../../consumer/membership.ts'
import type { TopicPartition } from '../../record.ts'
import { partitionName, without } from '../partition-names.ts'

export type OwnerCall =
  | { readonly kind: 'revoked' | 'lost' | 'assigned'; readonly partitions: readonly string[] }
  | { readonly kind: 'troubled' | 'failed'; readonly error: Error }

export class TestOwner implements MembershipOwner {
  readonly name: string
  subscription: Subscription
  membership: Membership | null = null
  owned: readonly TopicPartition[] = []
  readonly calls: OwnerCall[] = []
  /** What giving up takes. */
  givingUp: () => Promise<void> = async () => {}
  /** Looks at what is given before it is had. */
  taking: (partitions: readonly TopicPartition[]) => void = () => {}
  #isInCall = false
  #waiters: { readonly isMet: () => boolean; readonly resolve: () => void }[] = []

  constructor(name: string, subscription: Subscription) {
    this.name = name
    this.subscription = subscription
  }

  get names(): string[] {
    return this.owned.map(partitionName).toSorted()
  }

  get errors(): Error[] {
    return this.calls.flatMap((call) => ('error' in call ? [call.error] : []))
  }

  async revoked(partitions: readonly TopicPartition[]): Promise<void> {
    await this.#call('revoked', partitions, async () => {
      this.#mustOwn(partitions)
      await this.givingUp()
      this.owned = without(this.owned, partitions)
    })
  }

  async lost(partitions: readonly TopicPartition[]): Promise<void> {
    await this.#call('lost', partitions, async () => {
      this.#mustOwn(partitions)
      await this.givingUp()
      this.owned = without(this.owned, partitions)
    })
  }

  async assigned(partitions: readonly TopicPartition[]): Promise<void> {
    await this.#call('assigned', partitions, async () => {
      if (without(partitions, this.owned).length < partitions.length)
        throw new Error(`${this.name} is given what it owns: ${partitions.map(partitionName).join(', ')}`)
      this.taking(partitions)
      this.owned = [...this.owned, ...partitions]
    })
  }

  troubled(error: Error): void {
    this.calls.push({ kind: 'troubled', error })
    this.#notify()
  }

  failed(error: Error): void {
    this.calls.push({ kind: 'failed', error })
    this.#notify()
  }

  /** Resolves after the next call. */
  next(): Promise<void> {
    const { length } = this.calls
    return this.until(() => this.calls.length > length && !this.#isInCall)
  }

  /** Resolves when `isMet`, asked after each call. */
  until(isMet: () => boolean): Promise<void> {
    if (isMet()) return Promise.resolve()
    return new Promise((resolve) => this.#waiters.push({ isMet, resolve }))
  }

  async #call(
    kind: 'revoked' | 'lost' | 'assigned',
    partitions: readonly TopicPartition[],
    action: () => Promise<void>,
  ): Promise<void> {
    if (this.#isInCall) throw new Error(`${this.name} is called while a call is under way`)
    this.#isInCall = true
    this.calls.push({ kind, partitions: partitions.map(partitionName).toSorted() })
    try {
      await action()
    } finally {
      this.#isInCall = false
      this.#notify()
    }
  }

  #mustOwn(partitions: readonly TopicPartition[]): void {
    const foreign = without(partitions, this.owned)
    if (foreign.length > 0)
      throw new Error(`${this.name} is to give up what it does not own: ${foreign.map(partitionName).join(', ')}`)
  }

  #notify(): void {
    const waiters = this.#waiters
    this.#waiters = []
    for (const waiter of waiters) {
      if (waiter.isMet()) waiter.resolve()
      else this.#waiters.push(waiter)
    }
  }
}
