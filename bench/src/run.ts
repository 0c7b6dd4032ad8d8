// `npm run bench -- [names] [options]`: see README.md.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { millrace, millraceInstalled } from '@millrace/interop/brokers'
import { fullSizes, quickSizes } from './broker/measure.ts'
import { runBrokerBench } from './broker/run.ts'

if (process.argv[2] === 'client') {
  await import('./client/run.ts')
  process.exit(0)
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '3' },
    quick: { type: 'boolean', default: false },
    subject: { type: 'string', default: millraceInstalled.name },
    'log-gb': { type: 'string' },
    'no-write': { type: 'boolean', default: false },
  },
})

/** Benchmarks of parts are files of their own beside this one (codec.ts, records.ts): `npm run bench -- codec`. */
const isPart = (name: string) => existsSync(join(import.meta.dirname, `${name}.ts`)) && name !== 'run'
const parts = positionals.filter(isPart)
for (const part of parts) await import(`./${part}.ts`)

const names = positionals.filter((name) => !isPart(name) && name !== 'broker')
if (parts.length === 0 || positionals.length > parts.length) {
  const subjects = { [millraceInstalled.name]: millraceInstalled, [millrace.name]: millrace, none: null }
  const subject = subjects[values.subject]
  if (subject === undefined) throw new Error(`--subject is one of ${Object.keys(subjects).join(', ')}`)
  const rounds = Number(values.rounds)
  if (!Number.isInteger(rounds) || rounds < 1)
    throw new Error(`--rounds is a whole number from 1, not ${values.rounds}`)
  const sizes = values.quick ? quickSizes : fullSizes
  await runBrokerBench({
    names,
    rounds,
    sizes: values['log-gb'] === undefined ? sizes : { ...sizes, logBytes: Number(values['log-gb']) * 1e9 },
    subject,
    write: !values.quick && !values['no-write'],
  })
}
process.exit(0)
