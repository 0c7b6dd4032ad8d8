/** `npm run fuzz`: see README.md. Ends with `N passed, N failed`, a frame or a round counting as one. */
import { parseArgs } from 'node:util'
import { attackBroker } from './attack-broker.ts'
import { attackClient } from './client/attack-client.ts'

const { values: options } = parseArgs({
  options: {
    frames: { type: 'string', default: '4000' },
    rounds: { type: 'string', default: '52' },
    seed: { type: 'string' },
    target: { type: 'string' },
  },
})
const seed = options.seed === undefined ? Date.now() % 1_000_000 : Number(options.seed)
const { target } = options
let passed = 0
let failed = 0

if (target === undefined || target === 'broker') {
  const frames = Number(options.frames)
  console.log(`the broker: seed ${seed}, ${frames} frames`)
  if (await attackBroker(frames, seed)) passed += frames
  else failed++
}
if (target === undefined || target === 'client') {
  const rounds = Number(options.rounds)
  console.log(`the client: seed ${seed}, ${rounds} rounds`)
  const outcome = await attackClient(rounds, seed, { tellsEndings: target === 'client' })
  passed += outcome.passed
  failed += outcome.failed
}
console.log(`${passed} passed, ${failed} failed${failed === 0 ? '' : ` (repeat with --seed ${seed})`}`)
process.exit(failed === 0 ? 0 : 1)
