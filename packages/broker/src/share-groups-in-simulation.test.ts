/**
 * A share group on a whole broker in a simulated world: members that dawdle, vanish and change their mind, and a broker that is stopped and
 * killed. Each run follows from its seed, which is in the name of a test that fails; `MILLRACE_SEED=n` runs that one alone.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BrokerConnection } from '@millrace/network'
import {
  ErrorCode,
  errorName,
  FindCoordinator,
  IncrementalAlterConfigs,
  KafkaError,
  Produce,
  RecordBatchBuilder,
  ShareAcknowledge,
  ShareFetch,
  ShareGroupHeartbeat,
} from '@millrace/protocol'
import { SimulatedBroker } from './testing/simulated-broker.ts'

const groupId = 'g'
const topic = 't'
const partitions = 2
const lockMs = 1000
const deliveryLimit = 5

const configs = {
  'offsets.topic.num.partitions': 1,
  'share.coordinator.state.topic.num.partitions': 1,
  'group.share.record.lock.duration.ms': lockMs,
  'group.share.min.record.lock.duration.ms': lockMs,
  'group.share.assignment.interval.ms': 0,
  'share.coordinator.snapshot.update.records.per.snapshot': 20,
  'share.coordinator.state.topic.prune.interval.ms': 500,
}

const accept = 1
const release = 2
const reject = 3

/** What the members know of a record. */
interface Fate {
  deliveries: number
  /** An acknowledgement of this type was answered with NONE. */
  confirmed: number | null
  /** An acknowledgement was sent, and what became of it is not known. */
  isUnsure: boolean
  /** Who has it, and when it asked; null when nobody is known to. */
  holder: { readonly member: string; readonly askedMs: number; readonly life: number } | null
}

class Ledger {
  readonly #fates = new Map<string, Fate>()
  /** Which life of the broker it is. */
  life = 0

  produced(index: number, offset: bigint): void {
    this.#fates.set(`${index}:${offset}`, { deliveries: 0, confirmed: null, isUnsure: false, holder: null })
  }

  delivered(index: number, offset: bigint, holder: { member: string; askedMs: number }, nowMs: number): void {
    const fate = this.#find(index, offset)
    const where = `${topic}-${index} at ${offset}`
    assert.ok(fate.confirmed === null || fate.confirmed === release, `${where} was done with, and is delivered again`)
    const { holder: before } = fate
    if (before !== null && before.member !== holder.member && before.life === this.life)
      assert.ok(nowMs >= before.askedMs + lockMs, `${where} is with ${before.member} and ${holder.member}`)
    fate.deliveries++
    fate.confirmed = null
    fate.holder = { ...holder, life: this.life }
  }

  acknowledged(index: number, offset: bigint, type: number, isConfirmed: boolean): void {
    const fate = this.#find(index, offset)
    if (!isConfirmed) fate.isUnsure = true
    // What comes too late, for records below the start by now, is answered like that too.
    else if (type !== release || fate.confirmed === null) fate.confirmed = type
  }

  /** It may be with another before its member knows that it is released. */
  letGo(index: number, firstOffset: bigint, lastOffset: bigint): void {
    for (let offset = firstOffset; offset <= lastOffset; offset++) this.#find(index, offset).holder = null
  }

  /** The member is gone. */
  left(member: string): void {
    for (const fate of this.#fates.values()) if (fate.holder?.member === member) fate.holder = null
  }

  /** When all is quiet. */
  checkAllDone(): void {
    for (const [name, { deliveries, confirmed, isUnsure }] of this.#fates) {
      const isDone = confirmed === accept || confirmed === reject
      assert.ok(
        isDone || isUnsure || deliveries >= deliveryLimit,
        `${name} was delivered ${deliveries} times, and is lost`,
      )
    }
  }

  get isAllDone(): boolean {
    return [...this.#fates.values()].every(
      ({ confirmed, isUnsure, deliveries }) =>
        confirmed === accept || confirmed === reject || (deliveries > 0 && (isUnsure || deliveries >= deliveryLimit)),
    )
  }

  #find(index: number, offset: bigint): Fate {
    const fate = this.#fates.get(`${index}:${offset}`)
    assert.ok(fate !== undefined, `nothing was produced at ${offset} of ${index}`)
    return fate
  }
}

interface MemberOptions {
  readonly world: SimulatedBroker
  readonly ledger: Ledger
  readonly id: string
  /** What it does with a record: an acknowledgement type, or null to dawdle until the lock ends. */
  readonly choose: () => number | null
  readonly isStopped: () => boolean
}

/** Joins, reads and acknowledges until it is stopped, or its connection breaks. */
async function member({ world, ledger, id, choose, isStopped }: MemberOptions): Promise<void> {
  const client = await world.connect()
  const nowMs = (): number => world.sim.time.nowMs
  const topicIds = new Set<string>()
  let memberEpoch = 0
  let sessionEpoch = 0
  const wanted = new Map<string, { topicId: string; index: number }>()
  while (!isStopped()) {
    const beat = await client.send(ShareGroupHeartbeat, {
      groupId,
      memberId: id,
      memberEpoch,
      subscribedTopicNames: memberEpoch === 0 ? [topic] : null,
    })
    if (beat.errorCode !== ErrorCode.NONE) {
      memberEpoch = 0
      await world.sim.host('client').runtime.clock.sleep(20)
      continue
    }
    memberEpoch = beat.memberEpoch
    if (beat.assignment !== null) {
      wanted.clear()
      for (const { topicId, partitions: indexes } of beat.assignment.topicPartitions) {
        topicIds.add(topicId)
        for (const index of indexes) wanted.set(`${topicId}:${index}`, { topicId, index })
      }
    }
    const askedMs = nowMs()
    const fetched = await client.send(ShareFetch, {
      groupId,
      memberId: id,
      shareSessionEpoch: sessionEpoch,
      maxWaitMs: 100,
      minBytes: 1,
      maxBytes: 1 << 20,
      maxRecords: 1 + world.sim.random.integer(10),
      batchSize: 1 + world.sim.random.integer(10),
      shareAcquireMode: world.sim.random.integer(2),
      isRenewAck: false,
      topics: [...topicIds].map((topicId) => ({
        topicId,
        partitions: [...wanted.values()].map(({ index }) => ({ partitionIndex: index, acknowledgementBatches: [] })),
      })),
      forgottenTopicsData: [],
    })
    if (fetched.errorCode !== ErrorCode.NONE) {
      sessionEpoch = 0
      continue
    }
    sessionEpoch++
    const acquired = fetched.responses.flatMap(({ topicId, partitions: answered }) =>
      answered.flatMap(({ partitionIndex, acquiredRecords }) =>
        acquiredRecords.map(({ firstOffset, lastOffset }) => ({ topicId, partitionIndex, firstOffset, lastOffset })),
      ),
    )
    for (const { partitionIndex, firstOffset, lastOffset } of acquired)
      for (let offset = firstOffset; offset <= lastOffset; offset++)
        ledger.delivered(partitionIndex, offset, { member: id, askedMs }, nowMs())
    for (const { topicId, partitionIndex, firstOffset, lastOffset } of acquired) {
      const type = choose()
      if (type === null) {
        await world.sim.host('client').runtime.clock.sleep(lockMs + 50)
        continue
      }
      if (type === release) ledger.letGo(partitionIndex, firstOffset, lastOffset)
      const confirmed = await acknowledge(client, {
        id,
        topicId,
        partitionIndex,
        firstOffset,
        lastOffset,
        type,
        epoch: sessionEpoch,
      }).catch((error: unknown) => {
        for (let offset = firstOffset; offset <= lastOffset; offset++)
          ledger.acknowledged(partitionIndex, offset, type, false)
        throw error
      })
      if (confirmed !== 'no session') sessionEpoch++
      for (let offset = firstOffset; offset <= lastOffset; offset++)
        ledger.acknowledged(partitionIndex, offset, type, confirmed === 'done')
      if (confirmed === 'no session') sessionEpoch = 0
    }
  }
  if (world.sim.random.integer(2) === 0)
    await client.send(ShareGroupHeartbeat, { groupId, memberId: id, memberEpoch: -1, subscribedTopicNames: null })
  ledger.left(id)
  await client[Symbol.asyncDispose]()
}

interface Acknowledgement {
  readonly id: string
  readonly topicId: string
  readonly partitionIndex: number
  readonly firstOffset: bigint
  readonly lastOffset: bigint
  readonly type: number
  readonly epoch: number
}

async function acknowledge(
  client: BrokerConnection,
  { id, topicId, partitionIndex, firstOffset, lastOffset, type, epoch }: Acknowledgement,
): Promise<'done' | 'refused' | 'no session'> {
  const { errorCode, responses } = await client.send(ShareAcknowledge, {
    groupId,
    memberId: id,
    shareSessionEpoch: epoch,
    isRenewAck: false,
    topics: [
      {
        topicId,
        partitions: [
          { partitionIndex, acknowledgementBatches: [{ firstOffset, lastOffset, acknowledgeTypes: [type] }] },
        ],
      },
    ],
  })
  if (errorCode !== ErrorCode.NONE) return 'no session'
  return responses[0]!.partitions[0]!.errorCode === ErrorCode.NONE ? 'done' : 'refused'
}

const isGone = (error: unknown): boolean =>
  error instanceof KafkaError &&
  (error.code === ErrorCode.NETWORK_EXCEPTION || error.code === ErrorCode.REQUEST_TIMED_OUT)

async function produce(world: SimulatedBroker, ledger: Ledger, count: number): Promise<void> {
  const client = await world.connect()
  for (let n = 0; n < count; n++) {
    const index = world.sim.random.integer(partitions)
    const builder = new RecordBatchBuilder({})
    const size = 1 + world.sim.random.integer(6)
    for (let at = 0; at < size; at++) builder.append({ timestamp: -1n, value: Buffer.from(`${n}-${at}`) })
    const { responses } = await client.send(
      Produce,
      { acks: -1, timeoutMs: 5000, topicData: [{ name: topic, partitionData: [{ index, records: builder.build() }] }] },
      { version: 9 },
    )
    const { errorCode, baseOffset } = responses[0]!.partitionResponses[0]!
    assert.equal(errorName(errorCode), 'NONE')
    for (let at = 0; at < size; at++) ledger.produced(index, baseOffset + BigInt(at))
  }
  await client[Symbol.asyncDispose]()
}

async function beginAtTheStart(world: SimulatedBroker): Promise<void> {
  const client = await world.run(world.connect())
  const { responses } = await world.run(
    client.send(IncrementalAlterConfigs, {
      resources: [
        {
          resourceType: 32,
          resourceName: groupId,
          configs: [{ name: 'share.auto.offset.reset', configOperation: 0, value: 'earliest' }],
        },
      ],
      validateOnly: false,
    }),
  )
  assert.equal(errorName(responses[0]!.errorCode), 'NONE')
  // Makes the topic of the groups, too.
  const { coordinators } = await world.run(client.send(FindCoordinator, { keyType: 0, coordinatorKeys: [groupId] }))
  assert.equal(errorName(coordinators[0]!.errorCode), 'NONE')
  await world.run(client[Symbol.asyncDispose]())
}

const only = process.env['MILLRACE_SEED']
const seeds = only === undefined ? [1, 2, 3, 4, 5] : [Number(only)]

for (const seed of seeds)
  test(`seed ${seed}: records of a share group are with one member at a time, and once done with never come again`, async () => {
    const world = new SimulatedBroker(seed, configs)
    const { sim } = world
    const ledger = new Ledger()
    await world.start()
    await world.createTopic(topic, partitions)
    await beginAtTheStart(world)
    let started = 0
    for (let round = 0; round < 4; round++) {
      let isOver = false
      await world.run(produce(world, ledger, 12))
      const members = Array.from({ length: 3 }, () => {
        const id = `member-${started++}`
        const choose = (): number | null => [accept, accept, accept, release, reject, null][sim.random.integer(6)]!
        return member({ world, ledger, id, choose, isStopped: () => isOver })
          .catch((error: unknown) => {
            if (!isGone(error)) throw error
          })
          .finally(() => ledger.left(id))
      })
      await sim.time.advance(500 + sim.random.integer(2500))
      if (sim.random.integer(3) > 0) {
        if (sim.random.integer(2) === 0) world.crash(false)
        else await world.stop()
        isOver = true
        await world.run(Promise.all(members))
        ledger.life++
        await world.start()
      } else {
        isOver = true
        await world.run(Promise.all(members))
      }
    }
    const last = member({ world, ledger, id: 'last', choose: () => accept, isStopped: () => ledger.isAllDone })
    await Promise.race([last, sim.time.advance(60_000)])
    ledger.checkAllDone()
    await world.stop()
    await last.catch(() => {})
  })
