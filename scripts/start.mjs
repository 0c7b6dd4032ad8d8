// `npm start`: the broker from its sources, after installing what is missing. Plain JavaScript for any Node from 18 on, as the first start
// on a machine runs on whatever Node it has; the one that npm has then installed takes over.
//
// One process for both, and no look-ups for imports that need none: from a fresh shell to the first record is to be a fraction of a second.
import { spawn } from 'node:child_process'
import * as modules from 'node:module'
import { hasInstalled } from './install-missing.mjs'

if (hasInstalled) startAgain()
else {
  modules.registerHooks({ resolve: resolveOwnSource })
  await import('../packages/millrace/src/command.ts')
}

/** Our sources name each other by their paths; Node's own way asks the disk several times for each. */
function resolveOwnSource(specifier, context, resolveNext) {
  if (!specifier.startsWith('.') || !specifier.endsWith('.ts')) return resolveNext(specifier, context)
  return { url: new URL(specifier, context.parentURL).href, format: 'module-typescript', shortCircuit: true }
}

/** With the Node that is first on the PATH now. Ctrl-C reaches both processes, and this one only waits. */
function startAgain() {
  const child = spawn('node', ['--conditions=source', ...process.argv.slice(1)], {
    stdio: 'inherit',
    shell: process.platform === 'win32',
  })
  process.on('SIGINT', () => {})
  process.on('SIGTERM', () => child.kill('SIGTERM'))
  child.on('exit', (code) => process.exit(code ?? 1))
}
