// Running Apache Kafka's command-line tools as their scripts do.
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { kafkaDistribution, kafkaVersion } from '../../brokers/kafka-distribution.ts'
import { run, tail, type CommandOptions, type Finished } from '../../command.ts'

export const kafkaTools = { name: 'kafka-tools', version: kafkaVersion }

/** The main class behind each script; the last has none. */
const classes = {
  'kafka-topics': 'org.apache.kafka.tools.TopicCommand',
  'kafka-console-producer': 'org.apache.kafka.tools.ConsoleProducer',
  'kafka-console-consumer': 'org.apache.kafka.tools.consumer.ConsoleConsumer',
  'kafka-get-offsets': 'org.apache.kafka.tools.GetOffsetShell',
  'kafka-configs': 'kafka.admin.ConfigCommand',
  'kafka-delete-records': 'org.apache.kafka.tools.DeleteRecordsCommand',
  'kafka-log-dirs': 'org.apache.kafka.tools.LogDirsCommand',
  'kafka-producer-perf-test': 'org.apache.kafka.tools.ProducerPerformance',
  'kafka-broker-api-versions': 'org.apache.kafka.tools.BrokerApiVersionsCommand',
  'kafka-dump-log': 'org.apache.kafka.tools.DumpLogSegments',
  'kafka-consumer-groups': 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand',
  'kafka-share-groups': 'org.apache.kafka.tools.consumer.group.ShareGroupCommand',
  'kafka-groups': 'org.apache.kafka.tools.GroupsCommand',
  'kafka-features': 'org.apache.kafka.tools.FeatureCommand',
  'kafka-transactions': 'org.apache.kafka.tools.TransactionsCommand',
  'kafka-verifiable-producer': 'org.apache.kafka.tools.VerifiableProducer',
  'kafka-verifiable-consumer': 'org.apache.kafka.tools.VerifiableConsumer',
  'kafka-verifiable-share-consumer': 'org.apache.kafka.tools.VerifiableShareConsumer',
  'kafka-console-share-consumer': 'org.apache.kafka.tools.consumer.ConsoleShareConsumer',
  'transactional-message-copier': 'org.apache.kafka.tools.TransactionalMessageCopier',
} as const

export type ToolName = keyof typeof classes

/**
 * Runs a tool to its end. Its classes are kept in an archive after the first run, which halves the start of the JVM;
 * the code that runs is the same.
 */
export async function runTool(
  name: ToolName,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<Finished> {
  const { directory, toolFlags, classPath } = await kafkaDistribution()
  const archives = join(directory, 'archives')
  mkdirSync(archives, { recursive: true })
  const archive = join(archives, `${name}.jsa`)
  const archiveFlag = existsSync(archive) ? `-XX:SharedArchiveFile=${archive}` : `-XX:ArchiveClassesAtExit=${archive}`
  const flags = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xlog:disable', archiveFlag, ...toolFlags]
  return run('java', [...flags, '-cp', classPath, classes[name], ...args], { timeoutMs: 60_000, ...options })
}

/** Runs a tool that must succeed; returns what it printed. */
export async function tool(name: ToolName, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await runTool(name, args, options)
  if (code !== 0) throw new Error(`${name} ended with ${code}: ${tail(Buffer.concat([stdout, stderr]))}`)
  return stdout.toString()
}

/** Runs a tool that must fail and say `complaint`. */
export async function refusedTool(name: ToolName, args: readonly string[], complaint: RegExp): Promise<string> {
  const { stdout, stderr } = await runTool(name, args)
  const output = stdout.toString() + stderr.toString()
  const said = complaint.exec(output)
  if (said === null) throw new Error(`${name} should have said ${complaint}: ${tail(output)}`)
  return `refused: ${said[0]}`
}
