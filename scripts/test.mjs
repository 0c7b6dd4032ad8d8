// Runs every *.test.ts under packages/ and beside it (or those whose path contains an argument), quietly: failures in full, then the totals.
import { spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'
import { availableParallelism } from 'node:os'

const wanted = process.argv.slice(2)
const files = globSync([
  'packages/*/src/**/*.test.ts',
  '{bench,interop,crash,fuzz}/src/**/*.test.ts',
  'examples/*.test.ts',
]).filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
if (files.length === 0) {
  console.error(`no test file matches ${wanted.join(' ')}`)
  process.exit(1)
}
const result = spawnSync(
  process.execPath,
  [
    '--conditions=source',
    '--test',
    `--test-concurrency=${availableParallelism()}`,
    '--test-timeout=120000',
    '--test-reporter=./scripts/quiet-reporter.mjs',
    '--test-reporter-destination=stdout',
    ...files,
  ],
  { stdio: 'inherit' },
)
process.exit(result.status ?? 1)
