/** Members of share groups that read, accept, release, reject and renew, join and leave; mostly what they have acquired, and in time. */
import { setTimeout as delay } from 'node:timers/promises'
import { DeleteShareGroupOffsets, DescribeShareGroupOffsets, ShareGroupHeartbeat } from '@millrace/protocol'
import type { Dice } from '../dice.ts'
import { earliest, join, prepareGroup, show } from '../scenarios/share-members.ts'
import { Sharer, type Fetched } from '../scenarios/sharer.ts'
import { produce } from '../scenarios/transactional-producer.ts'
import type { Topic, World } from '../world.ts'
import { draw, type Walk, type Walker } from './walk.ts'

interface Range {
  readonly firstOffset: bigint
  readonly lastOffset: bigint
}

interface Member {
  readonly id: string
  epoch: number
  readonly sharer: Sharer
  /** As the broker has told; some may have been acknowledged since. */
  acquired: Range[]
}

/** Kafka answers the end of a session before it has given back what was acquired, and nothing tells when that is done. */
const releaseMs = 150

class ShareGroupsWalker implements Walker {
  readonly #world: World
  readonly #groupId: string
  readonly #topic: Topic
  readonly #members: readonly Member[]
  #written = 1n

  constructor(world: World, groupId: string, topic: Topic) {
    this.#world = world
    this.#groupId = groupId
    this.#topic = topic
    this.#members = ['m0', 'm1', 'm2'].map((id) => ({
      id,
      epoch: -1,
      sharer: new Sharer(world, groupId, id, topic),
      acquired: [],
    }))
  }

  async step(dice: Dice): Promise<void> {
    const member = dice.pick(this.#members)
    if (member.epoch < 0 && !dice.once(10)) return this.#join(member)
    await draw(dice, [
      [5, () => this.#write(dice)],
      [8, () => this.#fetch(dice, member)],
      [6, () => this.#acknowledge(dice, member)],
      [2, () => this.#beat(dice, member)],
      [1, () => this.#leave(dice, member)],
      [1, () => this.#close(member)],
      [1, () => this.#look()],
      [1, () => this.#deleteOffsets(dice)],
    ])()
  }

  async #join(member: Member): Promise<void> {
    const { errorCode, memberEpoch } = await join(this.#world, this.#groupId, member.id, [this.#topic])
    if (errorCode === 0) member.epoch = memberEpoch
  }

  async #write(dice: Dice): Promise<void> {
    const client = await this.#world.client('writer')
    const count = 1 + dice.roll(4)
    const values = Array.from({ length: count }, (_, index) => `${this.#written + BigInt(index)}`)
    await produce(client, { topic: this.#topic, values })
    this.#written += BigInt(count)
  }

  async #fetch(dice: Dice, member: Member): Promise<void> {
    const acknowledged = member.sharer.epoch > 0 && dice.once(3) ? [this.#choice(dice, member)].flat() : []
    const answer = await member.sharer.fetch(acknowledged, {
      version: dice.mostly(2, [1], 4),
      maxRecords: dice.pick([1, 2, 3, 100]),
      batchSize: dice.pick([1, 2, 100]),
      shareAcquireMode: dice.once(3) ? 1 : 0,
    })
    this.#keep(member, answer)
  }

  #keep(member: Member, answer: Fetched): void {
    for (const { partitions } of answer.responses)
      for (const { acquiredRecords } of partitions) member.acquired.push(...acquiredRecords)
    member.acquired = member.acquired.slice(-6)
  }

  /** One or two ranges, with one type for all or one for each. */
  #choice(dice: Dice, { acquired }: Member) {
    const some = dice.once(2) ? [dice.pick([...acquired, { firstOffset: 0n, lastOffset: 0n }])] : acquired.slice(0, 2)
    const ordered = some.toSorted((a, b) => (a.firstOffset < b.firstOffset ? -1 : 1))
    return ordered.map(({ firstOffset, lastOffset }) => {
      const first = firstOffset + BigInt(dice.mostly(0, [1, -1], 8))
      const last = lastOffset + BigInt(dice.mostly(0, [1, -1], 8))
      const length = Number(last - first) + 1
      const type = () => dice.mostly(dice.pick([1, 2, 3]), [0, 4], 12)
      const acknowledgeTypes = dice.once(3) && length > 0 ? Array.from({ length }, type) : [type()]
      return { firstOffset: first, lastOffset: last, acknowledgeTypes }
    })
  }

  async #acknowledge(dice: Dice, member: Member): Promise<void> {
    if (member.sharer.epoch === 0) return
    const acknowledged = this.#choice(dice, member)
    if (acknowledged.length === 0) return
    await member.sharer.acknowledge(acknowledged, { version: dice.mostly(2, [1], 4), isRenewAck: dice.once(8) })
  }

  async #beat(dice: Dice, member: Member): Promise<void> {
    const client = await this.#world.client(`of ${member.id}`)
    const answer = await client.ask(ShareGroupHeartbeat, 1, {
      groupId: this.#groupId,
      memberId: member.id,
      memberEpoch: dice.mostly(member.epoch, [member.epoch + 1, member.epoch - 1], 8),
      subscribedTopicNames: dice.once(6) ? [this.#topic.name] : null,
    })
    if (answer.errorCode === 0 && answer.memberEpoch > 0) member.epoch = answer.memberEpoch
  }

  async #leave(dice: Dice, member: Member): Promise<void> {
    if (dice.once(2)) await this.#close(member)
    const client = await this.#world.client(`of ${member.id}`)
    await client.ask(ShareGroupHeartbeat, 1, { groupId: this.#groupId, memberId: member.id, memberEpoch: -1 })
    member.epoch = -1
  }

  async #close(member: Member): Promise<void> {
    if (member.sharer.epoch === 0) return
    await member.sharer.acknowledge([], { shareSessionEpoch: -1, topics: [] })
    member.sharer.epoch = 0
    member.acquired = []
    await delay(releaseMs)
  }

  async #look(): Promise<void> {
    await show(this.#world, this.#groupId)
    const client = await this.#world.client('looker')
    await client.ask(DescribeShareGroupOffsets, 1, {
      groups: [{ groupId: this.#groupId, topics: [{ topicName: this.#topic.name, partitions: [0] }] }],
    })
  }

  /** Refused as long as there are members. */
  async #deleteOffsets(dice: Dice): Promise<void> {
    if (this.#members.every(({ epoch }) => epoch < 0)) return
    const client = await this.#world.client('looker')
    const topics = [{ topicName: dice.mostly(this.#topic.name, ['none'], 3) }]
    await client.ask(DeleteShareGroupOffsets, 0, { groupId: this.#groupId, topics })
  }
}

export const shareGroupsWalk: Walk = {
  name: 'share groups',
  async start(world) {
    const topic = await world.topic('topic', 1)
    const groupId = world.name('group')
    await earliest(world, groupId)
    await prepareGroup(world, groupId, topic)
    // The first to read waits until the state of the partition is there. Its session stays: when the last one ends, our broker drops the
    // state and reads it again later, in other batches, which Kafka does only when the connection ends.
    await produce(await world.client('writer'), { topic, values: ['0'] })
    await join(world, groupId, 'first', [topic])
    const first = new Sharer(world, groupId, 'first', topic, 3000)
    await first.fetch()
    await first.acknowledge([{ firstOffset: 0n, lastOffset: 0n, acknowledgeTypes: [1] }])
    return new ShareGroupsWalker(world, groupId, topic)
  },
}
