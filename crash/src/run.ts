/** Load, kill, restart, check; again and again. See README.md. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { BrokerTarget } from './broker-target.ts'
import { CompactedLedger } from './compacted-ledger.ts'
import { isCompacted, partitions, TargetGoneError, type CrashTarget } from './crash-target.ts'
import { Ledger, type PartitionLedger } from './ledger.ts'
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
const longestWaitMs = 5000
const rounds = Number(options.rounds)
const random = randomIntegers(Number(options.seed))
const directory = mkdtempSync(join(tmpdir(), 'millrace-crash-'))

function targetOf(name: string): CrashTarget {
  if (name === 'log-manager') return new LogManagerTarget(directory)
  if (name === 'broker') return new BrokerTarget(directory)
  throw new Error(`--target: expected broker or log-manager, got ${name}`)
}

console.log(`crash test: ${rounds} rounds, seed ${options.seed}, target ${options.target}, data in ${directory}`)
const ledgers: PartitionLedger[] = partitions.map((partition) =>
  isCompacted(partition) ? new CompactedLedger(partition) : new Ledger(partition),
)
const totals = {
  kills: 0,
  killsWhileStarting: 0,
  cleanStops: 0,
  unacknowledgedFound: 0,
  recoveryLines: 0,
  cleanings: 0,
}
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
  // The cleaner's thread takes its time to come up: now and then it gets that, and the kill comes while it works.
  for (let waited = 0; round % 5 === 0 && target.cleanings() === 0 && waited < longestWaitMs; waited += 10)
    await sleep(10)
  if (random(10) === 0) {
    await target.stop()
    totals.cleanStops++
  } else {
    await target.kill()
    totals.kills++
  }
  await load
  totals.cleanings += target.cleanings()
}

await target.start()
for (const ledger of ledgers) {
  totals.unacknowledgedFound += ledger.check(await target.read(ledger.partition, ledger.checkedEnd))
  ledger.checkAll(await target.read(ledger.partition, 0n))
}
await target.stop()
if (rounds >= 20 && totals.cleanings === 0) throw new Error('nothing was compacted: the run proves less than it should')
rmSync(directory, { recursive: true, force: true })
const acknowledged = ledgers.reduce((sum, ledger) => sum + ledger.acknowledged, 0)
console.log(`${acknowledged} acknowledged records, all there or superseded`, totals)
