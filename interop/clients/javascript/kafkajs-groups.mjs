// kafkajs as a member of a consumer group, and its consume-transform-produce loop: one member a process.
import kafkajs from 'kafkajs'
import { setTimeout as delay } from 'node:timers/promises'

const { PartitionAssigners } = kafkajs

const settings = (job) => ({
  groupId: job.group,
  sessionTimeout: job.sessionTimeoutMs,
  heartbeatInterval: 300,
  maxWaitTimeInMs: 100,
  metadataMaxAge: 1000,
  partitionAssigners: [PartitionAssigners.roundRobin],
  retry: { retries: 5, initialRetryTime: 50, maxRetryTime: 500 },
})

class Member {
  #consumer
  #topic
  #assigned = []
  #rebalances = 0
  #positions = new Map()
  #unreported = []

  constructor(kafka, job) {
    this.#topic = job.topic
    this.#consumer = kafka.consumer(settings(job))
    this.#consumer.on(this.#consumer.events.GROUP_JOIN, ({ payload }) => {
      this.#assigned = payload.memberAssignment[job.topic] ?? []
      this.#rebalances++
      for (const partition of this.#positions.keys())
        if (!this.#assigned.includes(partition)) this.#positions.delete(partition)
    })
  }

  async join(job) {
    await this.#consumer.connect()
    await this.#consumer.subscribe({ topics: [this.#topic], fromBeginning: true })
    await this.#consumer.run({
      autoCommit: job.autoCommit,
      autoCommitInterval: 200,
      eachMessage: async ({ partition, message }) => {
        this.#unreported.push([partition, Number(message.offset), message.value.toString()])
        this.#positions.set(partition, Number(message.offset) + 1)
      },
    })
  }

  async poll(job) {
    await delay(job.timeoutMs)
    return {
      assigned: this.#assigned,
      rebalances: this.#rebalances,
      revoked: null,
      records: this.#unreported.splice(0),
    }
  }

  /** `sync`: all positions; `partition`: one commit for each partition, with metadata. */
  async commit(job) {
    const positions = [...this.#positions].map(([partition, offset]) => ({
      topic: this.#topic,
      partition,
      offset: String(offset),
      metadata: job.metadata,
    }))
    const commits = job.style === 'partition' ? positions.map((one) => [one]) : [positions]
    for (const commit of commits) if (commit.length > 0) await this.#consumer.commitOffsets(commit)
  }

  leave() {
    return this.#consumer.disconnect()
  }
}

export function groupHandlers(kafka) {
  let member
  return {
    join: (job) => {
      member = new Member(kafka, job)
      return member.join(job)
    },
    poll: (job) => member.poll(job),
    commit: (job) => member.commit(job),
    leave: () => member.leave(),
  }
}

/** Copies, partition by partition, until nothing came for `idleMs`, at first `patienceMs` more; every `abortEvery`th transaction is aborted and done again. */
export async function copy(kafka, openProducer, job) {
  const producer = await openProducer(job)
  const consumer = kafka.consumer(settings(job))
  const done = { committed: 0, aborted: 0 }
  let last = Date.now() + job.patienceMs
  const copySlice = async (partition, messages) => {
    last = Date.now()
    const transaction = await producer.transaction()
    await transaction.send({
      topic: job.to,
      acks: -1,
      messages: messages.map(({ value }) => ({ partition, value })),
    })
    const offset = String(Number(messages.at(-1).offset) + 1)
    await transaction.sendOffsets({
      consumerGroupId: job.group,
      topics: [{ topic: job.from, partitions: [{ partition, offset }] }],
    })
    if (job.abortEvery > 0 && (done.committed + done.aborted) % job.abortEvery === job.abortEvery - 1) {
      await transaction.abort()
      done.aborted++
      return copySlice(partition, messages)
    }
    await transaction.commit()
    done.committed++
  }
  await consumer.connect()
  await consumer.subscribe({ topics: [job.from], fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachBatchAutoResolve: false,
    eachBatch: async ({ batch, heartbeat, resolveOffset, isRunning, isStale }) => {
      for (let at = 0; at < batch.messages.length && isRunning() && !isStale(); at += job.batch) {
        const messages = batch.messages.slice(at, at + job.batch)
        await copySlice(batch.partition, messages)
        resolveOffset(messages.at(-1).offset)
        await heartbeat()
      }
    },
  })
  while (Date.now() - last < job.idleMs) await delay(50)
  await consumer.disconnect()
  await producer.disconnect()
  return done
}
