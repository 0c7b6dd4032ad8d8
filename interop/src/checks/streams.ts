// A Kafka Streams application that counts words exactly once, killed in the middle and started again.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { kafkaDistribution, kafkaVersion } from '../brokers/kafka-distribution.ts'
import { ClientProgram } from '../client-program.ts'
import { expectEqual, expectTrue } from '../expect.ts'
import type { Context } from './context.ts'
import type { Observer } from './observer.ts'

export const kafkaStreams = { name: 'kafka-streams', version: kafkaVersion }

const [input, output, application] = ['words', 'word-counts', 'word-count']
const partitions = 2
const words = ['all', 'work', 'and', 'no', 'play', 'makes', 'jack', 'a', 'dull', 'boy']
const lineCount = 1500
const wordsPerLine = 3
const timeoutMs = 60_000

export async function checkStreams({ broker, report, scratchDirectory }: Context, observer: Observer): Promise<void> {
  const { directory, toolFlags, classPath } = await kafkaDistribution()
  let starts = 0
  const start = () => {
    const state = join(scratchDirectory, `streams-${starts++}`)
    mkdirSync(state)
    const flags = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', ...toolFlags, '-cp', classPath]
    const args = [...flags, 'WordCount', broker.bootstrap, application, input, output, state]
    return new ClientProgram({ file: 'java', args, cwd: directory })
  }
  const read = () => observer.read(output, 'read_committed')
  const readUntil = async (count: number) => {
    for (const deadline = performance.now() + timeoutMs; ; await delay(100)) {
      const records = await read()
      if (records.length >= count) return records
      expectTrue(performance.now() < deadline, `only ${records.length} of ${count} counts came in ${timeoutMs} ms`)
    }
  }

  await report.check(kafkaStreams, 'word count, exactly_once_v2, killed in the middle', async () => {
    await observer.createTopic(input, partitions)
    await observer.createTopic(output, partitions)
    const lines = Array.from({ length: lineCount }, (_, i) => {
      const line = Array.from({ length: wordsPerLine }, (__, j) => words[(i * 7 + j * i) % words.length]!)
      return [i % partitions, line.join(' ')] as const
    })
    const expected = new Map<string, number>()
    for (const word of lines.flatMap(([, line]) => line.split(' '))) expected.set(word, (expected.get(word) ?? 0) + 1)
    const half = lines.length / 2
    const first = start()
    let second: ClientProgram | null = null
    try {
      await observer.fill(input, lines.slice(0, half))
      await readUntil(100)
      await first.kill()
      const atKill = (await read()).length
      await observer.fill(input, lines.slice(half))
      second = start()
      await readUntil(lineCount * wordsPerLine)
      await second[Symbol.asyncDispose]()
      // Each update of a count is a record: every word must have gone 1, 2, 3 … once.
      const counts = await read()
      const perWord = Map.groupBy(counts, ([, word]) => word!)
      for (const [word, times] of expected) {
        const updates = perWord.get(word)?.map(([, , value]) => Number(value)) ?? []
        expectEqual(
          updates,
          Array.from({ length: times }, (_, i) => i + 1),
          `counts of "${word}"`,
        )
      }
      expectEqual(counts.length, lineCount * wordsPerLine, 'counts in all')
      return `killed after ${atKill} of ${counts.length} counts`
    } finally {
      await first.kill()
      await second?.kill()
    }
  })
}
