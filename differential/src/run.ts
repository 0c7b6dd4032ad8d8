/** `npm run differential`: see README.md. Ends with `N passed, N failed`, a scenario and a walk counting as one. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { exitOnSignals } from '@millrace/interop/brokers'
import { startBrokers } from './brokers.ts'
import { judge, transcript } from './report.ts'
import type { Scenario } from './scenario.ts'
import { scenarios } from './scenarios/index.ts'
import { World } from './world.ts'

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    verbose: { type: 'boolean', default: false },
  },
})

const deliberates = new Map<string, number>()

/** True when both brokers said and wrote the same. */
async function play(world: World, scenario: Scenario, prefix: string): Promise<boolean> {
  await world.begin(prefix)
  let failure: unknown = null
  try {
    await scenario.run(world)
  } catch (error) {
    failure = error
  }
  const records = await world.recordDifferences()
  const { lines, differences } = judge(world.exchanges, records, deliberates)
  const isAlike = differences === 0 && failure === null
  console.log(`${isAlike ? 'ok  ' : 'FAIL'} ${scenario.name} (${world.exchanges.length} requests)`)
  if (failure !== null) console.log('  ', failure)
  for (const line of lines) console.log(line)
  if (options.verbose) for (const line of transcript(world.exchanges)) console.log(line)
  return isAlike
}

async function main(directory: string): Promise<number> {
  await using brokers = await startBrokers(directory)
  const world = await World.open({ kafka: brokers.kafka.port, ours: brokers.ours.port })
  await world.prepare()
  let [passed, failed, number] = [0, 0, 0]
  for (const scenario of scenarios.filter(({ name }) => name.includes(options.only))) {
    const missing = scenario.needs?.filter((api) => !world.serves(api)) ?? []
    if (missing.length > 0) {
      console.log(`skip ${scenario.name}: ${missing.map(({ name }) => name).join(', ')} not served by both`)
      continue
    }
    if (await play(world, scenario, `s${number++}`)) passed++
    else failed++
  }
  world.end()
  for (const [reason, count] of deliberates) console.log(`${count} times: ${reason}`)
  console.log(`${passed} passed, ${failed} failed`)
  return failed === 0 ? 0 : 1
}

const directory = mkdtempSync(join(tmpdir(), 'millrace-differential-'))
process.once('exit', () => rmSync(directory, { recursive: true, force: true }))
exitOnSignals()
process.exit(await main(directory))
