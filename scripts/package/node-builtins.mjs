// An esbuild plugin: how the bundle gets at Node's own modules. `import` of such a module makes V8 look at each of its exports, which for
// node:process opens the terminal (4 ms); and what is needed only later (TLS, compression) would cost its time at the start (15 ms).
import { getBuiltinModule } from 'node:process'

/** Loaded at the first call of one of their functions. */
const lazy = new Set(['assert', 'child_process', 'crypto', 'fs/promises', 'tls', 'v8', 'worker_threads', 'zlib'])
const isIdentifier = /^[A-Za-z_$][\w$]*$/
const reserved = new Set(['default', 'constructor', 'delete'])

export const nodeBuiltins = {
  name: 'node-builtins',
  setup(build) {
    build.onResolve({ filter: /^node:/ }, ({ path }) => ({ path, namespace: 'node-builtins' }))
    build.onLoad({ filter: /.*/, namespace: 'node-builtins' }, ({ path }) => ({
      contents: lazy.has(path.slice('node:'.length)) ? lazyModule(path) : eagerModule(path),
      loader: 'js',
    }))
  },
}

function exportedNames(path) {
  return Object.keys(getBuiltinModule(path)).filter((name) => isIdentifier.test(name) && !reserved.has(name))
}

function eagerModule(path) {
  return [
    `const builtin = process.getBuiltinModule(${JSON.stringify(path)})`,
    'const pick = (name) => builtin[name]',
    // Only what is imported is looked at: the others are removed as unused.
    ...exportedNames(path).map((name) => `export const ${name} = /* @__PURE__ */ pick('${name}')`),
    'export default builtin',
  ].join('\n')
}

/** Functions and classes that load the module when they are called; what is neither is fetched with them. */
function lazyModule(path) {
  const builtin = getBuiltinModule(path)
  return [
    'let loaded',
    `const load = () => (loaded ??= process.getBuiltinModule(${JSON.stringify(path)}))`,
    'const fetch = (name) => load()[name]',
    // assert.strict has assert.strict.equal and others.
    'const withParts = (call, name, parts) => Object.defineProperties(call, Object.fromEntries(',
    '  parts.map((part) => [part, { get: () => load()[name][part], configurable: true }])))',
    ...exportedNames(path).map((name) => lazyExport(name, Object.getOwnPropertyDescriptor(builtin, name)?.value)),
    // node:assert is a function itself.
    'export default /* @__PURE__ */ new Proxy(function () {}, {',
    '  get: (_, name) => load()[name],',
    '  apply: (_, self, args) => load().apply(self, args),',
    '})',
  ].join('\n')
}

function lazyExport(name, value) {
  if (typeof value !== 'function') return `export const ${name} = /* @__PURE__ */ fetch('${name}')`
  const call = `function ${name}(...args) { return new.target ? new (load().${name})(...args) : load().${name}(...args) }`
  const parts = Object.keys(value)
  if (parts.length === 0) return `export ${call}`
  return `export const ${name} = /* @__PURE__ */ withParts(${call}, '${name}', ${JSON.stringify(parts)})`
}
