// Apache Kafka's own command-line tools against the broker.
import type { BrokerKind } from '../../brokers/broker.ts'
import { inParallel } from '../../in-parallel.ts'
import type { Context } from '../context.ts'
import type { Observer } from '../observer.ts'
import { checkApiVersions } from './api-versions.ts'
import { checkConfigs } from './configs.ts'
import { checkConsumerGroups } from './consumer-groups.ts'
import { checkCoordinatorTopics } from './coordinator-topics.ts'
import { checkConsole } from './console.ts'
import { checkDumpLog } from './dump-log.ts'
import { checkFeatures } from './features.ts'
import { checkHangingTransaction } from './hanging-transaction.ts'
import { checkOffsets } from './offsets.ts'
import { checkShareTools } from './share-groups.ts'
import { checkTopics } from './topics.ts'
import { checkTransactionTool } from './transactions.ts'
import { checkVerifiable } from './verifiable.ts'

export { kafkaTools } from './tool.ts'

export async function checkKafkaTools(context: Context, kind: BrokerKind, observer: Observer): Promise<void> {
  await checkApiVersions(context)
  await checkTopics(context)
  await checkConsole(context)
  await checkOffsets(context)
  await checkConfigs(context)
  await checkFeatures(context)
  await checkCoordinators(context, observer)
  await checkDumpLog(context, { when: 'while running', indexes: !kind.preallocatesIndexes })
}

/** The tools of one kind after the other, several kinds at a time: most of the time a JVM starts or waits. */
async function checkCoordinators(context: Context, observer: Observer): Promise<void> {
  const kinds = [
    checkConsumerGroups,
    checkTransactionTool,
    checkHangingTransaction,
    checkShareTools,
    checkVerifiable,
  ].map((checkKind) => {
    const part = { ...context, report: context.report.part() }
    return () => checkKind(part, observer)
  })
  await inParallel(kinds, 3)
  await checkCoordinatorTopics(context, observer)
}
