/** Load, kill, restart, check; again and again. See README.md. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { BrokerTarget } from './broker-target.ts'
import { partitions, TargetGoneError, type CrashTarget } from './crash-target.ts'
import { Ledger } from './ledger.ts'
import { applyLoad } from './load.ts'
import { LogManagerTarget } from './log-manager-target.ts'
import { randomIntegers } from './random.ts'

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '50' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    target: { type: 'string', default: 'broker' },
    verbose: { type: 'boolean', default: false },
  },
})
const rounds = Number(options.rounds)
const random = randomIntegers(Number(options.seed))
const directory = mkdtempSync(join(tmpdir(), 'millrace-crash-'))

function targetOf(name: string): CrashTarget {
  if (name === 'log-manager') return new LogManagerTarget(directory)
  if (name === 'broker') return new BrokerTarget(directory)
  throw new Error(`--target: expected broker or log-manager, got ${name}`)
}

console.log(`crash test: ${rounds} rounds, seed ${options.seed}, target ${options.target}, data in ${directory}`)
const ledgers = partitions.map((partition) => new Ledger(partition))
const totals = { kills: 0, killsWhileStarting: 0, cleanStops: 0, unacknowledgedFound: 0, recoveryLines: 0 }
await using target = targetOf(options.target)

for (let round = 1; round <= rounds; round++) {
  if (random(5) === 0) {
    // A kill in the middle of a recovery must not harm the next one.
    const starting = target.start().catch((error: unknown) => {
      if (!(error instanceof TargetGoneError)) throw error
    })
    await sleep(random(250))
    await target.kill()
    await starting
    totals.killsWhileStarting++
  }
  await target.start()
  totals.recoveryLines += target.recoveryLines().length
  if (options.verbose) for (const line of target.recoveryLines()) console.log(line)
  for (const ledger of ledgers)
    totals.unacknowledgedFound += ledger.check(await target.read(ledger.partition, ledger.checkedEnd))
  const load = applyLoad(target, ledgers, random)
  await sleep(20 + random(400))
  if (random(10) === 0) {
    await target.stop()
    totals.cleanStops++
  } else {
    await target.kill()
    totals.kills++
  }
  await load
}

await target.start()
for (const ledger of ledgers) {
  totals.unacknowledgedFound += ledger.check(await target.read(ledger.partition, ledger.checkedEnd))
  ledger.checkAll(await target.read(ledger.partition, 0n))
}
await target.stop()
rmSync(directory, { recursive: true, force: true })
const acknowledged = ledgers.reduce((sum, ledger) => sum + ledger.acknowledged, 0)
console.log(`${acknowledged} acknowledged records, all there`, totals)
