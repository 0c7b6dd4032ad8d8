// Who may import whom (docs/architecture.md), and no circles between files.
import { globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'

const allowed = {
  runtime: [],
  protocol: ['runtime'],
  network: ['runtime', 'protocol'],
  storage: ['runtime', 'protocol'],
  coordination: ['runtime'],
  client: ['runtime', 'protocol', 'network'],
  kafkajs: ['client'],
  broker: ['runtime', 'protocol', 'network', 'storage', 'coordination'],
  millrace: ['runtime', 'coordination', 'client', 'broker'],
}
/** Beside these, for what is proved against a broker in a simulated world. */
const allowedInTests = { client: ['broker'] }
/** Only `runtime` may open the door to the world; a test may too, and the command is a process of its own. */
const worldly = /^node:(fs|net|tls|dgram|http|https|crypto|timers)/

const importPattern = /^\s*(import|export)\s+(type\s+)?(?:[^'"]*?\sfrom\s+)?['"]([^'"]+)['"]/gm

function sources() {
  return globSync('packages/*/src/**/*.ts').map((file) => file.replaceAll('\\', '/'))
}

function importsOf(file) {
  const text = readFileSync(file, 'utf8')
  return [...text.matchAll(importPattern)].map(([, , typeOnly, name]) => ({ name, typeOnly: typeOnly !== undefined }))
}

export function findForbiddenEdges() {
  const problems = []
  for (const file of sources()) {
    const owner = file.split('/')[1]
    const isTest = file.includes('.test.') || file.includes('/testing/')
    for (const { name } of importsOf(file)) {
      const imported = /^@millrace\/([^/]+)/.exec(name)?.[1]
      const mayImport = [...(allowed[owner] ?? []), ...(isTest ? (allowedInTests[owner] ?? []) : [])]
      if (imported !== undefined && imported !== owner && !mayImport.includes(imported))
        problems.push(`${file}: ${owner} may not import ${imported}`)
      if (!isTest && owner !== 'runtime' && owner !== 'millrace' && worldly.test(name))
        problems.push(`${file}: only runtime may import ${name}`)
    }
  }
  return problems
}

export function findCircles() {
  const graph = new Map()
  for (const file of sources()) {
    graph.set(
      file,
      importsOf(file)
        .filter(({ name, typeOnly }) => name.startsWith('.') && !typeOnly)
        .map(({ name }) => normalize(join(dirname(file), name)).replaceAll('\\', '/')),
    )
  }
  const problems = []
  const done = new Set()
  const visit = (file, path) => {
    const at = path.indexOf(file)
    if (at >= 0) {
      problems.push(`import circle: ${[...path.slice(at), file].join(' → ')}`)
      return
    }
    if (done.has(file)) return
    done.add(file)
    for (const next of graph.get(file) ?? []) visit(next, [...path, file])
  }
  for (const file of graph.keys()) visit(file, [])
  return problems
}
