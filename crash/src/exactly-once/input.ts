/** The records to copy, by Kafka's own kafka-verifiable-producer: the numbers from 0 on, over all partitions. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { kafkaDistribution, runToSuccess } from '@millrace/interop/brokers'

/** Small batches: consumers get whole ones, and are to get a little of each partition. */
const producerSettings = 'batch.size=512\n'

export interface InputOptions {
  readonly bootstrap: string
  readonly topic: string
  readonly records: number
  /** For the tool's settings. */
  readonly directory: string
}

/** @throws Error when not every record was acknowledged. */
export async function fillInput({ bootstrap, topic, records, directory }: InputOptions): Promise<void> {
  const settings = join(directory, 'verifiable-producer.properties')
  writeFileSync(settings, producerSettings)
  const { classPath, toolFlags } = await kafkaDistribution()
  const java = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', ...toolFlags, '-cp', classPath]
  const where = ['--bootstrap-server', bootstrap, '--topic', topic]
  const what = ['--max-messages', String(records), '--acks', '-1', '--command-config', settings]
  const tool = 'org.apache.kafka.tools.VerifiableProducer'
  const output = await runToSuccess('java', [...java, tool, ...where, ...what], { timeoutMs: 180_000 })
  const acknowledged = output.split('\n').filter((line) => line.includes('"producer_send_success"')).length
  if (acknowledged !== records)
    throw new Error(`kafka-verifiable-producer: ${acknowledged} of ${records} records were acknowledged`)
}
