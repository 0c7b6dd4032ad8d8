// A topic, a group that reads it, its members, and the account of who read what.
import type { ForeignClient, Membership } from '../../clients/foreign-client.ts'
import { expectEqual, expectSameItems, expectTrue } from '../../expect.ts'
import { eventually } from '../eventually.ts'
import type { Observer } from '../observer.ts'
import { Member, type ReadRecord } from './member.ts'

export const partitionCount = 6
export const sessionTimeoutMs = 3000
const settleTimeoutMs = 30_000

export interface GroupRunOptions {
  readonly client: ForeignClient
  readonly membership: Membership
  readonly bootstrap: string
  readonly observer: Observer
  /** Names topic and group. */
  readonly name: string
  readonly sessionTimeoutMs?: number
}

interface JoinExtra {
  readonly instanceId?: string
  readonly autoCommit?: boolean
  /** Where they differ from those of the group. */
  readonly client?: ForeignClient
  readonly membership?: Membership
}

export class GroupRun implements AsyncDisposable {
  readonly topic: string
  readonly group: string
  readonly options: GroupRunOptions
  /** Records a round writes. */
  readonly roundSize = 10 * partitionCount
  /** Those that poll now. */
  readonly members = new Set<Member>()
  /** How often each record written must have been read by now. */
  readonly #expectedReads = new Map<string, number>()
  readonly #everyone: Member[] = []
  #written = 0

  constructor(options: GroupRunOptions) {
    this.options = options
    this.topic = options.name
    this.group = `group-${options.name}`
  }

  /** Records written so far to each partition. */
  get end(): number {
    return this.#written / partitionCount
  }

  async join(name: string, extra: JoinExtra = {}): Promise<Member> {
    const { client, membership, bootstrap } = { ...this.options, ...extra }
    const member = new Member(name, client.open(bootstrap))
    this.#everyone.push(member)
    this.members.add(member)
    await member.join({
      ...membership,
      group: this.group,
      topic: this.topic,
      sessionTimeoutMs: this.options.sessionTimeoutMs ?? sessionTimeoutMs,
      autoCommit: extra.autoCommit ?? false,
      instanceId: extra.instanceId ?? null,
    })
    return member
  }

  async leave(member: Member): Promise<void> {
    this.members.delete(member)
    await member.leave()
  }

  async kill(member: Member): Promise<void> {
    this.members.delete(member)
    await member.kill()
  }

  async poll(): Promise<void> {
    await Promise.all([...this.members].map((member) => member.poll()))
  }

  /** All members poll until `isReached`. @throws Error that shows who has what, when it takes too long. */
  async pollUntil(what: string, isReached: () => boolean): Promise<void> {
    const deadline = performance.now() + settleTimeoutMs
    do {
      await this.poll()
      if (isReached()) return
    } while (performance.now() < deadline)
    const shares = [...this.members].map(
      ({ name, assigned, records }) => `${name} has [${assigned.join()}], read ${records.length}`,
    )
    throw new Error(`${what}: not reached in ${settleTimeoutMs} ms: ${shares.join('; ')}`)
  }

  /** Until all partitions are shared out evenly among the members. Returns how long that took, in ms. */
  async untilShared(): Promise<number> {
    const startedMs = performance.now()
    const share = partitionCount / this.members.size
    await this.pollUntil(`${this.members.size} members with ${share} partitions each`, () => this.#isShared(share))
    return Math.round(performance.now() - startedMs)
  }

  /** The broker's view of the group is that of the members, if need be after one more rebalance. */
  async expectDescribed(): Promise<void> {
    await eventually(async () => {
      await this.poll()
      await this.#expectDescribed()
    }, settleTimeoutMs)
  }

  async #expectDescribed(): Promise<void> {
    const { observer, membership } = this.options
    const view = await observer.describe(this.group)
    expectEqual(view.state, 'Stable', 'state of the group')
    expectEqual(view.type, membership.protocol === 'classic' ? 'Classic' : 'Consumer', 'type of the group')
    const shares = (all: (readonly number[])[]) => all.map((share) => share.join()).toSorted()
    const assigned = [...this.members].map((member) => member.assigned)
    expectEqual(shares(view.members.map(({ partitions }) => partitions)), shares(assigned), 'shares')
    expectEqual(view.assignor, membership.assignor, 'assignor')
  }

  /** Writes the same number of records to each partition, and waits until each was read once more, by who has its partition. */
  async round(): Promise<void> {
    const pairs = Array.from({ length: this.roundSize }, (_, i) => {
      const value = `value ${this.#written + i}`
      return [i % partitionCount, value] as const
    })
    const before = new Map([...this.members].map((member) => [member, member.records.length]))
    await this.options.observer.fill(this.topic, pairs)
    this.#written += pairs.length
    for (const [, value] of pairs) this.#expectedReads.set(value, 1)
    await this.untilRead()
    for (const member of this.members)
      for (const [partition] of member.records.slice(before.get(member)))
        expectTrue(member.assigned.includes(partition), `${member.name} read partition ${partition}, but has others`)
  }

  /** Until every record was read as often as expected; then no record was read more often. */
  async untilRead(): Promise<void> {
    const expected = [...this.#expectedReads.values()].reduce((sum, times) => sum + times, 0)
    const count = () => this.#everyone.reduce((sum, { records }) => sum + records.length, 0)
    await this.pollUntil(`${expected} records read in all`, () => count() >= expected)
    this.expectReads()
  }

  /** Every record was read as often as it must have been, and its offset is what it must be. */
  expectReads(): void {
    const reads = new Map<string, number>()
    for (const { name, records } of this.#everyone)
      for (const [partition, offset, value] of records) {
        reads.set(value, (reads.get(value) ?? 0) + 1)
        const number = Number(value.slice('value '.length))
        const place = [number % partitionCount, Math.floor(number / partitionCount)]
        expectEqual([partition, offset], place, `${name}: place of ${value}`)
      }
    for (const [value, times] of this.#expectedReads) expectEqual(reads.get(value) ?? 0, times, `reads of ${value}`)
  }

  /** These will be read once more: they were read, but not committed. */
  expectAgain(records: readonly ReadRecord[]): void {
    for (const [, , value] of records) this.#expectedReads.set(value, this.#expectedReads.get(value)! + 1)
  }

  /** Committed offsets are at the end of what was written, with this metadata. */
  async expectCommitted(metadata = ''): Promise<void> {
    const kind = this.options.client.groups!.metadata
    const stored = (told: string) => {
      if (kind === 'own by default' && metadata === '') return ''
      return kind === 'zero-terminated' && metadata !== '' ? told.replace('\0', '') : told
    }
    const found = (await this.#committed()).map(([partition, offset, told]) => [partition, offset, stored(told)])
    expectSameItems(
      found,
      this.#ends().map(([partition, offset]) => [partition, offset, metadata]),
      'committed offsets',
    )
  }

  /** The same, whatever the metadata. */
  async expectCommittedOffsets(): Promise<void> {
    const found = (await this.#committed()).map(([partition, offset]) => [partition, offset])
    expectSameItems(found, this.#ends(), 'committed offsets')
  }

  async #committed(): Promise<(readonly [partition: string, offset: number, metadata: string])[]> {
    const committed = await this.options.observer.committed(this.group)
    return Object.entries(committed).map(([partition, [offset, metadata]]) => [partition, offset, metadata])
  }

  #ends(): (readonly [partition: string, offset: number])[] {
    return Array.from({ length: partitionCount }, (_, i) => [`${this.topic}-${i}`, this.end])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const member of this.#everyone) await member.kill()
  }

  #isShared(share: number): boolean {
    const assigned = [...this.members].flatMap((member) => member.assigned)
    return (
      [...this.members].every((member) => member.assigned.length === share) && new Set(assigned).size === partitionCount
    )
  }
}
