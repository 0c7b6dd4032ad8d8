/** `npm run differential`: see README.md. Ends with `N passed, N failed`, a scenario and a walk counting as one. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { exitOnSignals } from '@millrace/interop/brokers'
import { startBrokers } from './brokers.ts'
import { levels } from './levels.ts'
import { restartScenario } from './restart.ts'
import { Session, type WalkOptions } from './session.ts'
import { scenarios } from './scenarios/index.ts'
import { walks } from './walks/index.ts'
import { World } from './world.ts'

const { values: options } = parseArgs({
  options: {
    only: { type: 'string' },
    walk: { type: 'string', default: '' },
    walks: { type: 'string', default: '12' },
    steps: { type: 'string', default: '60' },
    seed: { type: 'string' },
    scenarios: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
  },
})

/** A seed alone repeats walks. */
const playsScenarios = options.seed === undefined || options.only !== undefined || options.scenarios

const isWanted = (name: string) => name.includes(options.only ?? '')

async function playScenarios(session: Session): Promise<void> {
  if (!playsScenarios) return
  for (const scenario of scenarios.filter(({ name }) => isWanted(name))) await session.play(scenario)
  for (const level of levels) await session.playAt(level, isWanted)
}

/** Seeds count up from the first one. */
async function takeWalks(session: Session): Promise<void> {
  if (options.only !== undefined) return
  const firstSeed = options.seed === undefined ? Date.now() % 1_000_000 : Number(options.seed)
  const walkOptions: WalkOptions = { steps: Number(options.steps) }
  const chosen = walks.filter(({ name }) => name.includes(options.walk))
  for (let index = 0; index < Number(options.walks); index++)
    for (const walk of chosen) await session.walk(walk, firstSeed + index, walkOptions)
}

async function main(directory: string): Promise<number> {
  await using brokers = await startBrokers(directory)
  const world = await World.open({ kafka: brokers.kafka.port, ours: brokers.ours.port })
  await world.prepare()
  const session = new Session(world, { isVerbose: options.verbose })
  await playScenarios(session)
  await takeWalks(session)
  // Last: the epochs of leaders differ from here on.
  const restarting = restartScenario(async () => {
    await brokers.restart()
    await world.prepare()
  })
  if (playsScenarios && isWanted(restarting.name)) await session.play(restarting)
  world.end()
  for (const [reason, count] of session.deliberate) console.log(`${count} times: ${reason}`)
  console.log(`${session.passed} passed, ${session.failed} failed`)
  return session.failed === 0 ? 0 : 1
}

const directory = mkdtempSync(join(tmpdir(), 'millrace-differential-'))
process.once('exit', () => rmSync(directory, { recursive: true, force: true }))
exitOnSignals()
process.exit(await main(directory))
