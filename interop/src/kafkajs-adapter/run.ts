// `npm run kafkajs-adapter`: the same program with KafkaJS and with @millrace/kafkajs, each on a new broker of ours; what they are told is compared.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import * as adapter from '@millrace/kafkajs'
import { startBroker } from 'millrace'
import { canonical } from '../admin-answers/canonical.ts'
import { javascriptPackages } from '../clients/javascript-packages.ts'
import { walk, type Library, type Told } from './walk.ts'

/** Where the adapter's README says that they differ, and why. */
const known: ReadonlyMap<string, string> = new Map([
  ['send to a bad partition', 'KafkaJS loses the message and says nothing'],
  ['offsets after reset', 'KafkaJS commits -2, which stands for the beginning; the adapter the offset itself'],
  ['list groups', 'KafkaJS commits the offsets that it resolves, which makes the group'],
  ['delete too many records', 'KafkaJS wraps the error that says which partitions'],
  ['offsets of no topic', 'KafkaJS says only how often it has tried'],
])

async function toldBy(library: Library): Promise<Told> {
  await using broker = await startBroker()
  return await walk(library, [broker.bootstrapServers])
}

async function main(): Promise<number> {
  process.env['KAFKAJS_NO_PARTITIONER_WARNING'] = '1'
  const require = createRequire(join(await javascriptPackages(), 'package.json'))
  const theirs = await toldBy(require('kafkajs'))
  const ours = await toldBy(adapter)
  let passed = 0
  let failed = 0
  for (const [step, expected] of theirs) {
    const [a, b] = [JSON.stringify(canonical(ours.get(step))), JSON.stringify(canonical(expected))]
    const isSame = a === b
    const why = known.get(step)
    // A difference that is not there any more has to go from the list.
    const isRight = isSame === (why === undefined)
    if (isRight) passed++
    else failed++
    if (isRight) console.log(`pass  ${step}${why === undefined ? '' : `  (differs: ${why})`}`)
    else console.log(`FAIL  ${step}\n      KafkaJS: ${b}\n      ours:    ${a}`)
  }
  console.log(`${passed} passed, ${failed} failed`)
  return failed === 0 ? 0 : 1
}

process.exit(await main())
