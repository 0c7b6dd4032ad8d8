// Apache Kafka from Maven Central: broker, tools and client, with the class path and flags that its own scripts use.
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { clientsRoot, installOnce } from '../cache.ts'
import { runToSuccess } from '../command.ts'

/** What the distribution's tools use: warnings go to standard error. */
const toolLogging = `Configuration:
  Appenders:
    Console: { name: STDERR, target: SYSTEM_ERR, PatternLayout: { pattern: "[%d] %p %m (%c)%n" } }
  Loggers:
    Root: { level: WARN, AppenderRef: [{ ref: STDERR }] }
`

export const kafkaVersion = '4.3.1'

export interface KafkaDistribution {
  readonly directory: string
  /** JVM flags for tools and clients. */
  readonly toolFlags: readonly string[]
  /** Every jar, and our small client programs. */
  readonly classPath: string
}

export async function kafkaDistribution(): Promise<KafkaDistribution> {
  const pom = join(clientsRoot, 'java', 'pom.xml')
  const programs = globSync('*.java', { cwd: join(clientsRoot, 'java') })
    .toSorted()
    .map((name) => join(clientsRoot, 'java', name))
  const inputs = [pom, ...programs].map((file) => readFileSync(file, 'utf8'))
  const directory = await installOnce('interop/kafka', [...inputs, toolLogging], async (target) => {
    const copy = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies'
    const options = [
      '-DincludeScope=runtime',
      `-DoutputDirectory=${join(target, 'lib')}`,
      `-Dkafka.version=${kafkaVersion}`,
    ]
    await runToSuccess('mvn', ['-q', '-B', '-f', pom, copy, ...options], { timeoutMs: 600_000 })
    writeFileSync(join(target, 'log4j2.yaml'), toolLogging)
    const classes = join(target, 'classes')
    const arguments_ = ['-nowarn', '-cp', join(target, 'lib', '*'), '-d', classes, ...programs]
    await runToSuccess('javac', arguments_, { timeoutMs: 120_000 })
  })
  const toolFlags = [`-Dlog4j2.configurationFile=${join(directory, 'log4j2.yaml')}`]
  return { directory, toolFlags, classPath: `${join(directory, 'lib', '*')}:${join(directory, 'classes')}` }
}
