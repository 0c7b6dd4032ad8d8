// Apache Kafka's own command-line tools against the broker.
import type { BrokerKind } from '../../brokers/broker.ts'
import type { Context } from '../context.ts'
import { checkApiVersions } from './api-versions.ts'
import { checkConfigs } from './configs.ts'
import { checkConsole } from './console.ts'
import { checkDumpLog } from './dump-log.ts'
import { checkFeatures } from './features.ts'
import { checkOffsets } from './offsets.ts'
import { checkTopics } from './topics.ts'

export { kafkaTools } from './tool.ts'

export async function checkKafkaTools(context: Context, kind: BrokerKind): Promise<void> {
  await checkApiVersions(context)
  await checkTopics(context)
  await checkConsole(context)
  await checkOffsets(context)
  await checkConfigs(context)
  await checkFeatures(context)
  await checkDumpLog(context, { when: 'while running', indexes: !kind.preallocatesIndexes })
}
