// Installs the dependencies when they are absent or older than package-lock.json, when it is run or imported. Runs on any Node from 18, with
// no dependency.
import { spawnSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const installed = join(root, 'node_modules', '.package-lock.json')
const wanted = join(root, 'package-lock.json')

/** Whether something was missing: then another Node may be the first on the PATH now. */
export const hasInstalled = !existsSync(installed) || statSync(installed).mtimeMs < statSync(wanted).mtimeMs

if (hasInstalled) {
  process.stderr.write('Installing dependencies (once)…\n')
  // Not `npm ci`: it refuses a lock file that lacks the optional packages of platforms its registry does not serve.
  const result = spawnSync(
    'npm',
    ['install', '--no-save', '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error'],
    {
      cwd: root,
      stdio: ['ignore', 'ignore', 'inherit'],
      shell: process.platform === 'win32',
    },
  )
  if (result.status !== 0) {
    process.stderr.write('npm install failed; see above. Millrace needs the npm registry the first time.\n')
    process.exit(result.status ?? 1)
  }
}
