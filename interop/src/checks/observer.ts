// The Java client as the runner's own eye and hand: it tells what groups hold, fills topics and reads them to their ends.
import { java } from '../clients/java.ts'
import { expectEqual } from '../expect.ts'
import { eventually } from './eventually.ts'
import type { Session } from '../clients/foreign-client.ts'

export interface GroupView {
  readonly state: string
  readonly type: string
  readonly assignor: string
  readonly members: readonly {
    readonly id: string
    readonly client: string
    readonly instanceId: string | null
    readonly partitions: readonly number[]
  }[]
}

export type Isolation = 'read_committed' | 'read_uncommitted'

export class Observer implements AsyncDisposable {
  readonly #session: Session

  private constructor(session: Session) {
    this.#session = session
  }

  static async start(bootstrap: string): Promise<Observer> {
    await java.prepare()
    return new Observer(java.open(bootstrap))
  }

  async createTopic(topic: string, partitions: number, set: Readonly<Record<string, string>> = {}): Promise<void> {
    await this.#session.call('createTopic', { topic, partitions, set })
    await eventually(async () =>
      expectEqual(await this.#session.call('describeTopic', { topic }), partitions, 'partitions'),
    )
  }

  /** Writes [partition, value] pairs, in order per partition. */
  async fill(topic: string, pairs: readonly (readonly [number, string])[]): Promise<void> {
    await this.#session.call('groupFill', { topic, pairs })
  }

  /** Everything up to the end as the isolation level sees it: [partition, key, value], in order per partition. */
  async read(topic: string, isolation: Isolation): Promise<(readonly [number, string | null, string])[]> {
    return (await this.#session.call('groupRead', { topic, isolation })) as [number, string | null, string][]
  }

  async describe(group: string): Promise<GroupView> {
    return (await this.#session.call('groupDescribe', { group })) as GroupView
  }

  /** "topic-partition" → [offset, metadata]. */
  async committed(group: string): Promise<Readonly<Record<string, readonly [number, string]>>> {
    return (await this.#session.call('groupCommitted', { group })) as Record<string, [number, string]>
  }

  /** What every group has committed: [group, [partition, [offset, metadata]]], in order. */
  async allCommitted(): Promise<readonly unknown[]> {
    const all = (await this.#session.call('groupAllCommitted')) as Record<string, Record<string, unknown>>
    const inOrder = <T>(record: Record<string, T>) => Object.entries(record).toSorted(([a], [b]) => (a < b ? -1 : 1))
    return inOrder(all).map(([group, committed]) => [group, inOrder(committed)])
  }

  async configureGroup(group: string, set: Readonly<Record<string, string>>): Promise<void> {
    await this.#session.call('groupConfig', { group, set })
  }

  async setFeature(feature: string, level: number, { lower }: { lower: boolean }): Promise<void> {
    await this.#session.call('groupFeature', { feature, level, lower })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session[Symbol.asyncDispose]()
  }
}
