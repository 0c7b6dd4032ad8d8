// Writes the publishable tarball to dist/: everything of ours bundled into a few files, so that installing is quick and starting
// quicker; declarations for TypeScript; a package.json that names only the packages that cannot be bundled (native ones).
//
//   dist/package/   what is in the tarball
//     bin/millrace.cjs    plain JavaScript for any Node: checks the version, hands over
//     dist/command.js     the command            ┐
//     dist/index.js       import from 'millrace' │ share chunks
//     dist/codec-thread.js  the codecs' thread   │
//     dist/cleaner-thread.js  the log cleaner's  ┘
//     types/              declarations, by package
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, globSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { nodeBuiltins } from './package/node-builtins.mjs'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const output = join(root, 'dist')
const staging = join(output, 'package')

const run = (command, args, options = {}) => {
  const result = spawnSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    shell: process.platform === 'win32',
    ...options,
  })
  if (result.status === 0) return result.stdout
  console.error(
    `${command} ${args.join(' ')} failed\n${result.error ?? ''}${result.stdout ?? ''}${result.stderr ?? ''}`,
  )
  process.exit(1)
}
const byName = (one, other) => (one < other ? -1 : 1)
const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'))

rmSync(output, { recursive: true, force: true })
mkdirSync(staging, { recursive: true })

const ours = new Map(
  globSync('packages/*/package.json', { cwd: root }).map((path) => {
    const manifest = readJson(join(root, path))
    return [manifest.name, { manifest, directory: join(root, dirname(path)) }]
  }),
)

emitDeclarations()
const metafile = await bundle()
writeTypes()
writeManifest()
for (const file of ['LICENSE', 'NOTICE', 'README.md']) cpSync(join(root, file), join(staging, file))
writeThirdPartyLicences(metafile)
cpSync(join(root, 'packages/millrace/bin'), join(staging, 'bin'), { recursive: true })
run('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', output], { cwd: staging })
for (const tarball of globSync('*.tgz', { cwd: output }))
  console.log(`dist/${tarball}  ${(statSync(join(output, tarball)).size / 1024).toFixed(0)} KiB`)

/** Type errors are told but stop nothing: `npm run check` is the judge of those, and declarations are written all the same. */
function emitDeclarations() {
  const { status, stdout, error } = spawnSync('tsc', ['-b', 'packages/millrace', '--pretty', 'false'], {
    cwd: root,
    encoding: 'utf8',
    shell: process.platform === 'win32',
  })
  if (status !== 0) console.error(`type errors in what is packaged:\n${error ?? ''}${stdout ?? ''}`)
}

/** npm packages our packages depend on, with the packages that do so. */
function foreignDependencies() {
  const names = new Set()
  for (const { manifest } of ours.values())
    for (const name of Object.keys(manifest.dependencies ?? {})) if (!ours.has(name)) names.add(name)
  return names
}

/** Those that bring native code, which no bundle can hold. */
function nativeDependencies() {
  return [...foreignDependencies()].filter((name) => {
    const { optionalDependencies } = readJson(join(root, 'node_modules', name, 'package.json'))
    return Object.keys(optionalDependencies ?? {}).some((one) => /linux-x64/.test(one))
  })
}

async function bundle() {
  const result = await build({
    absWorkingDir: root,
    entryPoints: {
      command: 'packages/millrace/src/command.ts',
      index: 'packages/millrace/src/index.ts',
      // Beside the file that starts it, which is a chunk in the same folder.
      'codec-thread': 'packages/protocol/src/records/codec-thread.ts',
      'cleaner-thread': 'packages/storage/src/cleaner/cleaner-thread.ts',
    },
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node22.18',
    conditions: ['source'],
    external: nativeDependencies(),
    // Node 22 has `await using` only after lowering, and not the stacks.
    inject: [join(root, 'scripts/package/disposable-stack.mjs')],
    plugins: [nodeBuiltins],
    outdir: join(staging, 'dist'),
    chunkNames: 'chunk-[hash]',
    legalComments: 'none',
    metafile: true,
    logLevel: 'warning',
  })
  return result.metafile
}

/** Copies the declarations that index.d.ts reaches; imports of our packages become paths. */
function writeTypes() {
  const types = join(staging, 'types')
  const placeOf = (file) => join(types, relative(join(root, 'packages'), file).replace(/[/\\]dist[/\\]/, '/'))
  const done = new Set()
  const copy = (file) => {
    if (done.has(file)) return
    done.add(file)
    const text = readFileSync(file, 'utf8')
      .replace(/^\/\/# sourceMappingURL=.*$/gm, '')
      .replace(/(from |import\()(["'])([^"']+)\2/g, (whole, keyword, quote, specifier) => {
        const target = declarationOf(specifier, file)
        if (target === null) return whole
        copy(target)
        const path = relative(dirname(placeOf(file)), placeOf(target))
          .replaceAll('\\', '/')
          .replace(/\.d\.ts$/, '.js')
        return `${keyword}${quote}${path.startsWith('.') ? path : `./${path}`}${quote}`
      })
    mkdirSync(dirname(placeOf(file)), { recursive: true })
    writeFileSync(placeOf(file), text)
  }
  const entry = join(root, 'packages/millrace/dist/index.d.ts')
  copy(entry)
  // Projects that target an older library still know Symbol.asyncDispose this way.
  writeFileSync(placeOf(entry), `/// <reference lib="esnext.disposable" />\n${readFileSync(placeOf(entry), 'utf8')}`)
}

/** null for what is not ours. */
function declarationOf(specifier, importer) {
  if (specifier.startsWith('.')) return resolve(dirname(importer), specifier.replace(/\.[jt]s$/, '.d.ts'))
  const [scope, name, ...rest] = specifier.split('/')
  const owner = ours.get(`${scope}/${name}`)
  if (owner === undefined) return null
  const entry = owner.manifest.exports[rest.length === 0 ? '.' : `./${rest.join('/')}`]
  return join(owner.directory, entry.types)
}

function writeManifest() {
  const { name, version, description, license, engines } = ours.get('millrace').manifest
  const dependencies = {}
  for (const dependency of nativeDependencies().toSorted(byName))
    dependencies[dependency] = readJson(join(root, 'node_modules', dependency, 'package.json')).version
  const manifest = {
    name,
    version,
    description,
    keywords: ['kafka', 'broker', 'streaming', 'message-queue', 'testing'],
    license,
    type: 'module',
    bin: { millrace: './bin/millrace.cjs' },
    exports: {
      '.': { types: './types/millrace/index.d.ts', default: './dist/index.js' },
      './package.json': './package.json',
    },
    types: './types/millrace/index.d.ts',
    files: ['bin', 'dist', 'types', 'NOTICE', 'THIRD-PARTY-LICENSES'],
    engines,
    dependencies,
  }
  writeFileSync(join(staging, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
}

/** The licence texts of what was bundled and is not ours. */
function writeThirdPartyLicences({ inputs }) {
  const names = new Set()
  for (const path of Object.keys(inputs)) {
    const name = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1]
    if (name !== undefined && !ours.has(name)) names.add(name)
  }
  const texts = [...names].toSorted(byName).map((name) => {
    const directory = join(root, 'node_modules', name)
    const file = ['LICENSE', 'LICENSE.md', 'LICENSE.txt', 'license'].find((one) => existsSync(join(directory, one)))
    if (file === undefined) throw new Error(`${name} is bundled but has no licence file`)
    return `${name} ${readJson(join(directory, 'package.json')).version}\n\n${readFileSync(join(directory, file), 'utf8').trim()}\n`
  })
  if (texts.length > 0) writeFileSync(join(staging, 'THIRD-PARTY-LICENSES'), texts.join('\n---\n\n'))
}
