// What Kafka's own Admin answers, as JSON.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { kafkaDistribution } from '../brokers/kafka-distribution.ts'
import { writeProperties } from '../brokers/write-properties.ts'
import { runToSuccess } from '../command.ts'

export interface JavaQuestion {
  readonly directory: string
  readonly properties: Readonly<Record<string, string>>
  readonly job: unknown
}

export async function javaAnswers({ directory, properties, job }: JavaQuestion): Promise<Record<string, unknown>> {
  const { classPath, toolFlags } = await kafkaDistribution()
  const file = join(directory, 'admin.properties')
  writeProperties(file, properties)
  const quick = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xmx256m']
  const output = await runToSuccess(
    'java',
    [...quick, ...toolFlags, '-cp', classPath, 'AdminAnswers', file, JSON.stringify(job)],
    { timeoutMs: 120_000 },
  )
  writeFileSync(join(directory, 'java-answers.json'), output)
  return JSON.parse(output) as Record<string, unknown>
}
