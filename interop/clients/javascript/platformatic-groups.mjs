// @platformatic/kafka as a member of a consumer group: one member a process.
import { Consumer } from '@platformatic/kafka'
import { setTimeout as delay } from 'node:timers/promises'

/** A consumer and its stream from the committed offsets on. */
export async function openStream(base, job, topic) {
  const consumer = new Consumer({
    ...base,
    groupId: job.group,
    ...(job.instanceId === null ? {} : { groupInstanceId: job.instanceId }),
    ...(job.protocol === 'consumer'
      ? { groupProtocol: 'consumer', groupRemoteAssignor: job.assignor }
      : {
          sessionTimeout: job.sessionTimeoutMs,
          rebalanceTimeout: 10_000,
          heartbeatInterval: 300,
          protocols: [{ name: job.assignor, version: 1 }],
        }),
  })
  const stream = await consumer.consume({
    topics: [topic],
    mode: 'committed',
    fallbackMode: 'earliest',
    autocommit: job.autoCommit ? 200 : false,
    maxWaitTime: 100,
    isolationLevel: 1,
  })
  return { consumer, stream }
}

class Member {
  #topic
  #open
  #rebalances = 0
  #positions = new Map()
  #unreported = []
  #failure

  constructor(base, job) {
    this.#topic = job.topic
    this.#open = openStream(base, job, job.topic).then((open) => {
      open.consumer.on('consumer:group:join', () => this.#rebalances++)
      open.stream.on('data', (message) => {
        this.#unreported.push([message.partition, Number(message.offset), message.value.toString()])
        this.#positions.set(message.partition, message)
      })
      open.stream.on('error', (error) => (this.#failure = error))
      return open
    })
    this.#open.catch((error) => (this.#failure = error))
  }

  async poll(job) {
    await delay(job.timeoutMs)
    if (this.#failure !== undefined) throw this.#failure
    const open = await Promise.race([this.#open, delay(1)])
    return {
      assigned: open?.consumer.assignments?.find(({ topic }) => topic === this.#topic)?.partitions ?? [],
      rebalances: this.#rebalances,
      revoked: null,
      records: this.#unreported.splice(0),
    }
  }

  /** `sync`: one commit for all positions; `partition`: each message commits itself. */
  async commit(job) {
    const { consumer } = await this.#open
    const assigned = consumer.assignments.find(({ topic }) => topic === this.#topic)?.partitions ?? []
    const messages = [...this.#positions.values()].filter(({ partition }) => assigned.includes(partition))
    if (messages.length === 0) return
    if (job.style === 'partition') for (const message of messages) await message.commit()
    else {
      const offsets = messages.map(({ topic, partition, offset }) => ({
        topic,
        partition,
        offset: offset + 1n,
        leaderEpoch: 0,
      }))
      await consumer.commit({ offsets })
    }
  }

  async leave() {
    const { consumer, stream } = await this.#open
    await stream.close()
    await consumer.close(true)
  }
}

export function groupHandlers(base) {
  let member
  return {
    join: (job) => {
      member = new Member(base, job)
    },
    poll: (job) => member.poll(job),
    commit: (job) => member.commit(job),
    leave: () => member.leave(),
  }
}
