/**
 * Creates topics, each on its own. −1 asks for the broker's defaults (4, KIP-464); the effective configuration is in the answer from 5
 * (KIP-525), the topic's id from 7 (KIP-516). Only the controller does it; others answer NOT_CONTROLLER.
 */
import { CreateTopics, ErrorCode, KafkaError, type ResponseInput } from '@millrace/protocol'
import { TimeSlice } from '@millrace/runtime'
import { describeTopic } from '../config/describe-configs.ts'
import type { CreatedTopic } from '../controller/controller.ts'
import { handler } from '../server/handler.ts'
import type { RequestContext } from '../server/request-context.ts'

type TopicAnswer = ResponseInput<typeof CreateTopics>['topics'][number]
type ConfigAnswer = NonNullable<TopicAnswer['configs']>

export const createTopics = handler(CreateTopics, async (request, context) => {
  const { topics, validateOnly, timeoutMs } = request
  try {
    const created = await context.broker.controller.createTopics(topics, { validateOnly, timeoutMs })
    return { throttleTimeMs: 0, topics: await answers(created, context) }
  } catch (error) {
    if (!(error instanceof KafkaError)) throw error
    const { code, message } = error
    return { throttleTimeMs: 0, topics: topics.map(({ name }) => refused(name, code, message)) }
  }
})

async function answers(created: readonly CreatedTopic[], { broker, version }: RequestContext): Promise<TopicAnswer[]> {
  const slice = new TimeSlice(broker.clock)
  const answered: TopicAnswer[] = []
  /** Most topics have no settings of their own, so all the same ones. */
  let defaults: ConfigAnswer | null = null
  const describe = (topic: CreatedTopic): ConfigAnswer => {
    if (version < 5) return []
    if (topic.configs.size > 0) return describeTopic(broker.config, topic.configs).map(configAnswer)
    defaults ??= describeTopic(broker.config, topic.configs).map(configAnswer)
    return defaults
  }
  for (const topic of created) {
    if (slice.isOver) await slice.next()
    const { name, topicId, errorCode, errorMessage, numPartitions, replicationFactor } = topic
    answered.push(
      errorCode === ErrorCode.NONE
        ? { name, topicId, errorCode, errorMessage: null, numPartitions, replicationFactor, configs: describe(topic) }
        : refused(name, errorCode, errorMessage),
    )
  }
  return answered
}

function refused(name: string, errorCode: number, errorMessage: string | null): TopicAnswer {
  return { name, errorCode, errorMessage, configs: [] }
}

function configAnswer(config: ReturnType<typeof describeTopic>[number]): ConfigAnswer[number] {
  const { name, value, readOnly, configSource, isSensitive } = config
  return { name, value, readOnly, configSource, isSensitive }
}
