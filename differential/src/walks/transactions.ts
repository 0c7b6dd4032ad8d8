/** Transactional producers of the old and the new protocol, side by side and in each other's way; mostly as they should be. */
import {
  AddOffsetsToTxn,
  AddPartitionsToTxn,
  DescribeProducers,
  DescribeTransactions,
  EndTxn,
  InitProducerId,
  ListOffsets,
  ListTransactions,
  OffsetFetch,
  Produce,
  TxnOffsetCommit,
} from '@millrace/protocol'
import type { Dice } from '../dice.ts'
import { fetchRequest } from '../scenarios/offsets.ts'
import { initProducer, produce, untilEnded } from '../scenarios/transactional-producer.ts'
import type { Topic, World } from '../world.ts'
import { draw, type Walk, type Walker } from './walk.ts'

interface Producer {
  readonly transactionalId: string
  producerId: bigint
  producerEpoch: number
  /** By topic and partition. */
  readonly sequences: Map<string, number>
}

const unknownId = 777_777n

class TransactionsWalker implements Walker {
  readonly #world: World
  readonly #topics: readonly Topic[]
  readonly #groups: readonly string[]
  /** Two of each transactional id: one of them is what a crash has left behind. */
  readonly #producers: readonly Producer[]

  constructor(world: World, topics: readonly Topic[]) {
    this.#world = world
    this.#topics = topics
    this.#groups = ['g0', 'g1'].map((name) => world.name(name))
    this.#producers = ['t0', 't0', 't1', 't1', 't2'].map((name) => ({
      transactionalId: world.name(name),
      producerId: -1n,
      producerEpoch: -1,
      sequences: new Map(),
    }))
  }

  async step(dice: Dice): Promise<void> {
    const producer = dice.pick(this.#producers)
    if (producer.producerId < 0n && !dice.once(8)) await this.#init(dice, producer)
    else
      await draw(dice, [
        [2, () => this.#init(dice, producer)],
        [6, () => this.#produce(dice, producer)],
        [4, () => this.#add(dice, producer)],
        [2, () => this.#addOffsets(dice, producer)],
        [4, () => this.#commitOffsets(dice, producer)],
        [4, () => this.#end(dice, producer)],
        [1, () => this.#list(dice)],
      ])()
    if (dice.once(2)) await this.#look(dice)
  }

  /** What the producer says of itself, seldom wrong. */
  #claims(dice: Dice, { transactionalId, producerId, producerEpoch }: Producer) {
    return {
      transactionalId: dice.mostly(
        transactionalId,
        [this.#world.name('t9'), dice.pick(this.#producers).transactionalId],
        25,
      ),
      producerId: dice.mostly(producerId, [unknownId, dice.pick(this.#producers).producerId], 25),
      producerEpoch: dice.mostly(producerEpoch, [producerEpoch + 1, producerEpoch - 1, 0], 15),
    }
  }

  async #init(dice: Dice, producer: Producer): Promise<void> {
    const client = await this.#world.client('producer')
    const version = dice.pick(this.#world.versions(InitProducerId))
    const isBump = version >= 3 && dice.once(3)
    const { producerId, producerEpoch } = this.#claims(dice, producer)
    const answer = await initProducer(client, producer.transactionalId, {
      version,
      ...(isBump ? { producerId, producerEpoch } : {}),
    })
    if (answer.errorCode !== 0) return
    producer.producerId = answer.producerId
    producer.producerEpoch = answer.producerEpoch
    producer.sequences.clear()
  }

  async #produce(dice: Dice, producer: Producer): Promise<void> {
    const client = await this.#world.client('producer')
    const topic = dice.pick(this.#topics)
    const partition = dice.roll(2)
    const place = `${topic.name} ${partition}`
    const next = producer.sequences.get(place) ?? 0
    const version = dice.mostly(dice.pick([11, 13]), this.#world.versions(Produce, 3), 4)
    const count = 1 + dice.roll(2)
    const baseSequence = dice.mostly(next, [next + 1, Math.max(0, next - 1), 0], 10)
    const claims = this.#claims(dice, producer)
    if (claims.producerId < 0n) return
    const answer = await produce(client, {
      ...claims,
      topic,
      partition,
      version,
      baseSequence,
      isTransactional: dice.mostly(true, [false], 30),
      values: Array.from({ length: count }, (_, index) => `v${index}`),
    })
    if (answer.responses[0]?.partitionResponses[0]?.errorCode === 0) producer.sequences.set(place, baseSequence + count)
  }

  async #add(dice: Dice, producer: Producer): Promise<void> {
    const client = await this.#world.client('producer')
    const version = dice.pick(this.#world.versions(AddPartitionsToTxn))
    const claims = this.#claims(dice, producer)
    const topics = [
      {
        name: dice.mostly(dice.pick(this.#topics).name, [this.#world.name('missing')], 20),
        partitions: dice.pick([[0], [1], [0, 1]]),
      },
    ]
    await client.ask(AddPartitionsToTxn, version, {
      v3AndBelowTransactionalId: claims.transactionalId,
      v3AndBelowProducerId: claims.producerId,
      v3AndBelowProducerEpoch: claims.producerEpoch,
      v3AndBelowTopics: topics,
      transactions: [{ ...claims, verifyOnly: dice.once(2), topics }],
    })
  }

  async #addOffsets(dice: Dice, producer: Producer): Promise<void> {
    const client = await this.#world.client('producer')
    const version = dice.pick(this.#world.versions(AddOffsetsToTxn))
    await client.ask(AddOffsetsToTxn, version, { ...this.#claims(dice, producer), groupId: dice.pick(this.#groups) })
  }

  async #commitOffsets(dice: Dice, producer: Producer): Promise<void> {
    const client = await this.#world.client('producer')
    const version = dice.mostly(dice.pick([3, 5]), this.#world.versions(TxnOffsetCommit), 4)
    const partitions = dice.pick([[0], [1], [0, 1]]).map((partitionIndex) => ({
      partitionIndex,
      committedOffset: BigInt(dice.roll(50)),
      committedLeaderEpoch: 0,
      committedMetadata: dice.pick(['', 'm', null]),
    }))
    await client.ask(TxnOffsetCommit, version, {
      ...this.#claims(dice, producer),
      groupId: dice.pick(this.#groups),
      memberId: dice.mostly('', ['nobody'], 15),
      generationIdOrMemberEpoch: dice.mostly(-1, [0, 3], 15),
      topics: [{ name: dice.pick(this.#topics).name, partitions }],
    })
  }

  async #end(dice: Dice, producer: Producer): Promise<void> {
    const client = await this.#world.client('producer')
    const version = dice.mostly(dice.pick([3, 5]), this.#world.versions(EndTxn), 4)
    const answer = await client.ask(EndTxn, version, { ...this.#claims(dice, producer), committed: dice.once(2) })
    for (const { transactionalId } of this.#producers) await untilEnded(this.#world, transactionalId)
    if (answer.errorCode !== 0 || version < 5) return
    producer.producerId = answer.producerId
    if (answer.producerEpoch !== producer.producerEpoch) producer.sequences.clear()
    producer.producerEpoch = answer.producerEpoch
  }

  async #list(dice: Dice): Promise<void> {
    const client = await this.#world.client('looker')
    const states = ['Empty', 'Ongoing', 'CompleteCommit', 'CompleteAbort', 'nonsense']
    await client.ask(ListTransactions, this.#world.newest(ListTransactions), {
      stateFilters: dice.once(2) ? [] : [dice.pick(states), dice.pick(states)],
      producerIdFilters: dice.once(3) ? [dice.pick(this.#producers).producerId] : [],
      transactionalIdPattern: `${this.#world.name('')}.*`,
    })
  }

  async #look(dice: Dice): Promise<void> {
    const client = await this.#world.client('looker')
    const transactionalIds = [...new Set(this.#producers.map((one) => one.transactionalId))]
    await client.ask(DescribeTransactions, 0, { transactionalIds })
    const topics = this.#topics.map(({ name }) => ({ name, partitionIndexes: [0, 1] }))
    await client.ask(DescribeProducers, 0, { topics })
    const partitions = [0, 1].map((partitionIndex) => ({ partitionIndex, timestamp: -1n }))
    await client.ask(ListOffsets, 8, {
      replicaId: -1,
      isolationLevel: 1,
      topics: this.#topics.map(({ name }) => ({ name, partitions })),
    })
    const wanted = this.#topics.map(({ name, id }) => ({ name, topicId: id, partitionIndexes: [0, 1] }))
    await client.ask(OffsetFetch, 9, fetchRequest(dice.pick(this.#groups), wanted, { requireStable: dice.once(2) }))
  }
}

export const transactionsWalk: Walk = {
  name: 'transactions',
  async start(world) {
    return new TransactionsWalker(world, [await world.topic('a'), await world.topic('b')])
  },
}
