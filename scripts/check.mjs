// Format, lint, types, package edges, import circles: everything that can be said without running the code.
import { spawn } from 'node:child_process'
import { findCircles, findForbiddenEdges } from './package-edges.mjs'

function run(name, command, args) {
  return new Promise((resolve) => {
    let output = ''
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], shell: process.platform === 'win32' })
    child.stdout.on('data', (chunk) => (output += chunk))
    child.stderr.on('data', (chunk) => (output += chunk))
    child.on('error', (error) => resolve({ name, ok: false, output: String(error) }))
    child.on('close', (code) => resolve({ name, ok: code === 0, output }))
  })
}

const edges = [...findForbiddenEdges(), ...findCircles()]
const results = await Promise.all([
  run('format', 'oxfmt', ['--check']),
  run('lint', 'oxlint', ['--type-aware', '--quiet']),
  run('types', 'tsc', ['-b', '--pretty', 'false']),
  Promise.resolve({ name: 'edges', ok: edges.length === 0, output: edges.join('\n') }),
])
for (const { name, ok, output } of results) if (!ok) console.error(`${name} failed\n${output.trim()}\n`)
const failed = results.filter((result) => !result.ok).length
console.log(failed === 0 ? 'format, lint, types and edges are fine' : `${failed} of ${results.length} checks failed`)
process.exit(failed === 0 ? 0 : 1)
