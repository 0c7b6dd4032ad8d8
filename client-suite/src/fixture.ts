// What checks need of a broker besides the client under test: topics, and how far they reach. Speaks the protocol itself.
import { connectToBroker, type BrokerConnection, type VersionRanges } from '@millrace/network'
import {
  AlterPartitionReassignments,
  CreateTopics,
  DeleteTopics,
  errorName,
  ErrorCode,
  FindCoordinator,
  Metadata,
  ZERO_UUID,
  type Response,
} from '@millrace/protocol'
import { nodeRuntime, type Address } from '@millrace/runtime'
import { setTimeout as delay } from 'node:timers/promises'

const { clock, transport } = nodeRuntime()
const changeTimeoutMs = 30_000

export interface TopicOptions {
  readonly partitions?: number
  readonly replicas?: number
  readonly configs?: Readonly<Record<string, string>>
}

export interface PartitionState {
  readonly leaderId: number
  readonly replicas: readonly number[]
  readonly inSyncReplicas: readonly number[]
}

export class Fixture {
  readonly versions: VersionRanges
  readonly #bootstrap: readonly Address[]
  readonly #replicas: number

  private constructor(bootstrap: readonly Address[], versions: VersionRanges, replicas: number) {
    this.#bootstrap = bootstrap
    this.versions = versions
    this.#replicas = replicas
  }

  static async open(bootstrap: string, { replicas }: { readonly replicas: number }): Promise<Fixture> {
    const addresses = bootstrap.split(',').map((address) => {
      const [host, port] = address.split(':') as [string, string]
      return { host, port: Number(port) }
    })
    await using connection = await connectTo(addresses[0]!)
    return new Fixture(addresses, connection.versions, replicas)
  }

  /** Creates a topic and waits until all of its partitions have leaders. */
  async createTopic(name: string, { partitions = 1, replicas = this.#replicas, configs = {} }: TopicOptions = {}) {
    await this.#ask(async (connection) => {
      const { topics } = await connection.send(CreateTopics, {
        timeoutMs: 20_000,
        topics: [
          {
            name,
            numPartitions: partitions,
            replicationFactor: replicas,
            assignments: [],
            configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
          },
        ],
      })
      const { errorCode } = topics[0]!
      if (errorCode !== ErrorCode.NONE && errorCode !== ErrorCode.TOPIC_ALREADY_EXISTS)
        throw new Error(`topic ${name} was not created: ${errorName(errorCode)}`)
    })
    await this.#ask(async (connection) => {
      const states = await describe(connection, name)
      if (states.length !== partitions || states.some(({ leaderId }) => leaderId < 0))
        throw new Error(`topic ${name} has no leaders yet`)
    })
  }

  async deleteTopic(name: string): Promise<void> {
    await this.#ask(async (connection) => {
      const { responses } = await connection.send(DeleteTopics, {
        timeoutMs: 20_000,
        ...(connection.versionOf(DeleteTopics) >= 6
          ? { topics: [{ name, topicId: ZERO_UUID }] }
          : { topicNames: [name] }),
      })
      const { errorCode } = responses[0]!
      if (errorCode !== ErrorCode.NONE && errorCode !== ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        throw new Error(`topic ${name} was not deleted: ${errorName(errorCode)}`)
    })
  }

  /** Moves partition 0 to these brokers, the first of them to lead it. */
  async reassign(name: string, replicas: readonly number[]): Promise<void> {
    await this.#ask(async (connection) => {
      const { responses } = await connection.send(AlterPartitionReassignments, {
        timeoutMs: 20_000,
        topics: [{ name, partitions: [{ partitionIndex: 0, replicas: [...replicas] }] }],
      })
      const { errorCode } = responses[0]!.partitions[0]!
      if (errorCode !== ErrorCode.NONE) throw new Error(`${name} was not reassigned: ${errorName(errorCode)}`)
    })
  }

  /** The broker that coordinates a group. */
  coordinatorOf(groupId: string): Promise<number> {
    return this.#coordinator(groupId, 0)
  }

  transactionCoordinatorOf(transactionalId: string): Promise<number> {
    return this.#coordinator(transactionalId, 1)
  }

  #coordinator(key: string, keyType: number): Promise<number> {
    return this.#ask(async (connection) => {
      const takesLists = connection.versionOf(FindCoordinator) >= 4
      const answer = await connection.send(
        FindCoordinator,
        takesLists ? { keyType, coordinatorKeys: [key] } : { keyType, key },
      )
      const { errorCode, nodeId } = answer.coordinators[0] ?? answer
      if (errorCode !== ErrorCode.NONE) throw new Error(`no coordinator of ${key}: ${errorName(errorCode)}`)
      return nodeId
    })
  }

  partitions(topic: string): Promise<readonly PartitionState[]> {
    return this.#ask((connection) => describe(connection, topic))
  }

  /** Repeats until it works, at whichever broker answers. */
  async #ask<T>(question: (connection: BrokerConnection) => Promise<T>): Promise<T> {
    const deadline = performance.now() + changeTimeoutMs
    for (let attempt = 0; ; attempt++) {
      try {
        await using connection = await connectTo(this.#bootstrap[attempt % this.#bootstrap.length]!)
        return await question(connection)
      } catch (error) {
        if (performance.now() > deadline) throw error
        await delay(50)
      }
    }
  }
}

function connectTo(address: Address): Promise<BrokerConnection> {
  return connectToBroker(transport, address, { clock, clientId: 'fixture', connectTimeoutMs: 5000 })
}

async function describe(connection: BrokerConnection, topic: string): Promise<readonly PartitionState[]> {
  const answer: Response<typeof Metadata> = await connection.send(Metadata, {
    topics: [{ name: topic }],
    allowAutoTopicCreation: false,
  })
  const found = answer.topics[0]
  if (found === undefined || found.errorCode !== ErrorCode.NONE) throw new Error(`topic ${topic} is not there`)
  return found.partitions
    .toSorted((a, b) => a.partitionIndex - b.partitionIndex)
    .map(({ leaderId, replicaNodes, isrNodes }) => ({ leaderId, replicas: replicaNodes, inSyncReplicas: isrNodes }))
}
