// Apache Kafka from Maven Central: broker, tools and client, with the class path and flags that its own scripts use.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { clientsRoot, installOnce } from '../cache.ts'
import { runToSuccess } from '../command.ts'

export const kafkaVersion = '4.3.1'

export interface KafkaDistribution {
  readonly directory: string
  /** Every jar, and our small client program. */
  readonly classPath: string
}

export async function kafkaDistribution(): Promise<KafkaDistribution> {
  const pom = join(clientsRoot, 'java', 'pom.xml')
  const program = join(clientsRoot, 'java', 'JavaClient.java')
  const inputs = [readFileSync(pom, 'utf8'), readFileSync(program, 'utf8')]
  const directory = await installOnce('interop/kafka', inputs, async (target) => {
    const copy = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies'
    const options = ['-DincludeScope=runtime', `-DoutputDirectory=${join(target, 'lib')}`, `-Dkafka.version=${kafkaVersion}`]
    await runToSuccess('mvn', ['-q', '-B', '-f', pom, copy, ...options], { timeoutMs: 600_000 })
    const classes = join(target, 'classes')
    const arguments_ = ['-nowarn', '-cp', join(target, 'lib', '*'), '-d', classes, program]
    await runToSuccess('javac', arguments_, { timeoutMs: 120_000 })
  })
  return { directory, classPath: `${join(directory, 'lib', '*')}:${join(directory, 'classes')}` }
}
