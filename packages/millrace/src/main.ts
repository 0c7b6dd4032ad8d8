/** The command line: reads its arguments and hands over to the file of the subcommand. */
import { Command, Option } from 'commander'
import { logFormats, logLevels, type LogFormat, type LogLevel } from './log-writer.ts'
import { version } from './version.ts'

const program = new Command('millrace')
  .description('Apache Kafka in TypeScript: a broker any Kafka client can use.')
  .version(version)
  .showHelpAfterError()

interface StartArguments {
  readonly override: readonly string[]
  readonly logLevel: LogLevel
  readonly logFormat: LogFormat
}

program
  .command('start')
  .description('start a broker and run it until Ctrl-C')
  .argument('[server.properties]', 'a file of settings with Kafka’s names')
  .option('--override <name=value>', 'a setting that takes precedence over the file; may be repeated', collect, [])
  .addOption(new Option('--log-level <level>', 'the least that is logged').choices(logLevels).default('info'))
  .addOption(new Option('--log-format <format>', 'for people or for machines').choices(logFormats).default('text'))
  .addHelpText(
    'after',
    `
Examples:
  millrace start
      on localhost:9092, with the data in ~/.millrace/data
  millrace start --override listeners=PLAINTEXT://localhost:19092 --override log.dirs=/tmp/another
      a second broker beside it
  millrace start server.properties --override num.partitions=6 --log-format json
      with Kafka’s own configuration file

Log lines go to standard error. The exit status is 0 after Ctrl-C or SIGTERM, and 1 when it cannot start or go on.`,
  )
  .action(async (file: string | undefined, { override, logLevel, logFormat }: StartArguments) => {
    const { start } = await import('./start.ts')
    process.exitCode = await start({ file: file ?? null, overrides: override, logLevel, logFormat })
  })

function collect(value: string, previous: readonly string[]): string[] {
  return [...previous, value]
}

await program.parseAsync()
