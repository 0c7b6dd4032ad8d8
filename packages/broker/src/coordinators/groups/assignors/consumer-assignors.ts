/** The assignors a consumer group may use: those that `group.consumer.assignors` names, the first being the default. */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { Assignor } from './assignor.ts'
import { rangeAssignor } from './range-assignor.ts'
import { uniformAssignor } from './uniform-assignor.ts'

const builtIn: readonly Assignor[] = [uniformAssignor, rangeAssignor]

/** Names of Kafka's classes that mean the same. */
const byClass: ReadonlyMap<string, Assignor> = new Map([
  ['org.apache.kafka.coordinator.group.assignor.UniformAssignor', uniformAssignor],
  ['org.apache.kafka.coordinator.group.assignor.RangeAssignor', rangeAssignor],
])

export function isConsumerAssignor(name: string): boolean {
  return find(name) !== undefined
}

/** @throws KafkaError INVALID_CONFIG for an assignor that is not ours: classes cannot be loaded. */
export function consumerAssignors(names: readonly string[]): ReadonlyMap<string, Assignor> {
  return new Map(
    names.map((name) => {
      const assignor = find(name)
      if (assignor === undefined)
        throw new KafkaError(
          ErrorCode.INVALID_CONFIG,
          `group.consumer.assignors: expected uniform or range, got ${name}`,
        )
      return [assignor.name, assignor]
    }),
  )
}

function find(name: string): Assignor | undefined {
  return builtIn.find((one) => one.name === name) ?? byClass.get(name)
}
