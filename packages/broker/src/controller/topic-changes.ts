/** What creating, extending and deleting a topic does to the coordination tree and to the image. Pure; checks nothing. */
import { createNode, deleteNode, setNode } from '@millrace/coordination'
import type { Operation } from '@millrace/coordination'
import type { ConfigEntityKey, ConfigEntries, MetadataDelta, PartitionImage, TopicImage } from '../metadata/image.ts'
import { MAX_OPERATIONS_PER_TRANSACTION } from './metadata-writer.ts'
import {
  configPath,
  deletionPath,
  encodeConfig,
  encodeState,
  encodeTopic,
  partitionPath,
  partitionsPath,
  statePath,
  topicPath,
} from './znodes.ts'

export interface MetadataChange {
  readonly operations: Operation[]
  readonly delta: MetadataDelta
}

/**
 * A topic too large for one transaction is written in several: its assignment first, so that whoever finds it half made can finish it.
 */
export function topicCreation(topic: TopicImage, configs: ConfigEntries, controllerEpoch: number): MetadataChange {
  const operations: Operation[] = []
  const entity: ConfigEntityKey = `topics/${topic.name}`
  if (configs.size > 0) operations.push(createNode(configPath(entity), encodeConfig(configs)))
  operations.push(
    createNode(topicPath(topic.name), encodeTopic(topic.id, topic.partitions)),
    createNode(partitionsPath(topic.name)),
    ...partitionCreations(topic.name, topic.partitions, 0, controllerEpoch),
  )
  return {
    operations,
    delta: {
      topics: new Map([[topic.name, topic]]),
      ...(configs.size > 0 ? { configs: new Map([[entity, configs]]) } : {}),
    },
  }
}

export function partitionsAddition(
  topic: TopicImage,
  added: readonly PartitionImage[],
  controllerEpoch: number,
): MetadataChange {
  const extended = { ...topic, partitions: [...topic.partitions, ...added] }
  return {
    operations: [
      setNode(topicPath(topic.name), encodeTopic(topic.id, extended.partitions)),
      ...partitionCreations(topic.name, added, topic.partitions.length, controllerEpoch),
    ],
    delta: { topics: new Map([[topic.name, extended]]) },
  }
}

function partitionCreations(
  topic: string,
  partitions: readonly PartitionImage[],
  first: number,
  controllerEpoch: number,
): Operation[] {
  return partitions.flatMap((partition, index) => [
    createNode(partitionPath(topic, first + index)),
    createNode(statePath(topic, first + index), encodeState(partition, controllerEpoch)),
  ])
}

/** A topic too large for one transaction is marked first, so that whoever finds it half deleted can finish. */
export function topicDeletion(topic: TopicImage, hasConfigs: boolean): MetadataChange {
  const entity: ConfigEntityKey = `topics/${topic.name}`
  const operations = topic.partitions.flatMap((_, index) => [
    deleteNode(statePath(topic.name, index)),
    deleteNode(partitionPath(topic.name, index)),
  ])
  operations.push(deleteNode(partitionsPath(topic.name)), deleteNode(topicPath(topic.name)))
  if (hasConfigs) operations.push(deleteNode(configPath(entity)))
  if (operations.length > MAX_OPERATIONS_PER_TRANSACTION) {
    operations.unshift(createNode(deletionPath(topic.name)))
    operations.push(deleteNode(deletionPath(topic.name)))
  }
  return {
    operations,
    delta: {
      topics: new Map([[topic.name, null]]),
      ...(hasConfigs ? { configs: new Map([[entity, null]]) } : {}),
    },
  }
}
