import { expectEqual, expectTrue } from '../../expect.ts'
import type { Context } from '../context.ts'
import { kafkaTools, tool } from './tool.ts'

const topic = 'tools-console'
const lines = Array.from({ length: 200 }, (_, i) => ({
  header: `h${i}`,
  key: `key${i % 9}`,
  value: `value ${i} ${'ü✓'.repeat(i % 30)}`,
}))
const shown = ({ header, key, value }: (typeof lines)[number]) => `source:${header}\t${key}\t${value}`

export async function checkConsole({ broker, report }: Context): Promise<void> {
  const check = (what: string, run: () => Promise<string | void>) => report.check(kafkaTools, what, run)
  const consume = (...args: string[]) => {
    const show = ['print.key=true', 'print.headers=true', 'null.literal=NULL'].flatMap((property) => [
      '--formatter-property',
      property,
    ])
    const where = ['--bootstrap-server', broker.bootstrap, '--topic', topic, '--partition', '0']
    return tool('kafka-console-consumer', [...where, ...show, ...args])
  }

  await check('kafka-console-producer, topic auto-created', async () => {
    const reader = ['parse.key=true', 'parse.headers=true', 'null.marker=NIL'].flatMap((property) => [
      '--reader-property',
      property,
    ])
    const where = ['--bootstrap-server', broker.bootstrap, '--topic', topic]
    const input = lines.map((line) => `${shown(line)}\n`).join('')
    await tool('kafka-console-producer', [...where, ...reader], { input: `${input}NIL\tno value\tNIL\n` })
  })
  await check('kafka-console-consumer --partition --offset earliest', async () => {
    const output = await consume('--offset', 'earliest', '--max-messages', String(lines.length + 1))
    const expected = [...lines.map(shown), 'NO_HEADERS\tno value\tNULL']
    expectEqual(output.trimEnd().split('\n'), expected, 'output')
  })
  await check('kafka-console-consumer --partition --offset N, timestamps', async () => {
    const extra = ['print.timestamp=true', 'print.offset=true', 'print.partition=true'].flatMap((property) => [
      '--formatter-property',
      property,
    ])
    const output = await consume('--offset', '150', '--max-messages', '10', ...extra)
    const rows = output.trimEnd().split('\n')
    expectEqual(rows.length, 10, 'lines')
    for (const [i, row] of rows.entries()) {
      const match = /^CreateTime:(\d+)\tPartition:0\tOffset:(\d+)\t(.*)$/.exec(row)
      expectTrue(match !== null && Math.abs(Number(match[1]) - Date.now()) < 600_000, `line ${i}: ${row}`)
      expectEqual([match![2], match![3]], [String(150 + i), shown(lines[150 + i]!)], `line ${i}`)
    }
  })
  for (const codec of ['gzip', 'zstd'])
    await check(`kafka-console-producer --compression-codec ${codec}`, async () => {
      const where = ['--bootstrap-server', broker.bootstrap, '--topic', `${topic}-${codec}`]
      const input = lines.map(({ value }) => `${value}\n`).join('')
      await tool('kafka-console-producer', [...where, '--compression-codec', codec], { input })
    })
  await check('kafka-console-consumer --isolation-level read_committed --timeout-ms', async () => {
    const where = [
      '--bootstrap-server',
      broker.bootstrap,
      '--topic',
      `${topic}-zstd`,
      '--partition',
      '0',
      '--offset',
      'earliest',
    ]
    const output = await tool('kafka-console-consumer', [
      ...where,
      '--isolation-level',
      'read_committed',
      '--timeout-ms',
      '3000',
    ])
    expectEqual(
      output.trimEnd().split('\n'),
      lines.map(({ value }) => value),
      'output',
    )
  })
}
