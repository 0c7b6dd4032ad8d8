// `npm run test:package`: packages the product, installs the tarball in an empty folder, and tests what a user gets.
import { spawnSync } from 'node:child_process'

const result = spawnSync(
  process.execPath,
  [
    '--conditions=source',
    '--test',
    '--test-timeout=300000',
    '--test-reporter=./scripts/quiet-reporter.mjs',
    '--test-reporter-destination=stdout',
    'scripts/package/installed.test.mjs',
  ],
  { stdio: 'inherit' },
)
process.exit(result.status ?? 1)
