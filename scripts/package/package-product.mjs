// One product from sources to tarball.
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, globSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { build } from 'esbuild'
import { copyDeclarations } from './declarations.mjs'
import { nodeBuiltins } from './node-builtins.mjs'
import { byName, nativeDependencies, ours, partsOf, readJson, root } from './workspace.mjs'

const inShell = { cwd: root, encoding: 'utf8', shell: process.platform === 'win32' }

/** Type errors are told but stop nothing: `npm run check` is the judge of those, and declarations are written all the same. */
export function emitDeclarations(products) {
  const directories = products.map(({ name }) => ours.get(name).directory)
  const { status, stdout, error } = spawnSync('tsc', ['-b', ...directories, '--pretty', 'false'], inShell)
  if (status !== 0) console.error(`type errors in what is packaged:\n${error ?? ''}${stdout ?? ''}`)
}

export async function packageProduct(product, output) {
  const { name, readme, bin } = product
  const staging = join(output, 'package', basename(name))
  mkdirSync(staging, { recursive: true })
  const metafile = await bundle(product, join(staging, 'dist'))
  const types = copyDeclarations(product, join(staging, 'types'))
  writeManifest(product, types, staging)
  for (const file of ['LICENSE', 'NOTICE']) cpSync(join(root, file), join(staging, file))
  cpSync(join(root, readme), join(staging, 'README.md'))
  writeThirdPartyLicences(metafile, staging)
  if (bin !== null) cpSync(join(root, bin.directory), join(staging, 'bin'), { recursive: true })
  const pack = ['pack', '--silent', '--ignore-scripts', '--pack-destination', output]
  const { status, stdout, stderr, error } = spawnSync('npm', pack, { ...inShell, cwd: staging })
  if (status !== 0) throw new Error(`npm pack of ${name} failed\n${error ?? ''}${stdout}${stderr}`)
  const tarball = stdout.trim()
  console.log(`dist/${tarball}  ${(statSync(join(output, tarball)).size / 1024).toFixed(0)} KiB`)
}

/** A thread's file must be beside the one that starts it, which is a chunk in the same folder. */
function threadsOf(product) {
  const files = [...partsOf(product)].flatMap((part) => {
    const { directory } = ours.get(part)
    return globSync('src/**/*-thread.ts', { cwd: directory }).map((file) => join(directory, file))
  })
  return Object.fromEntries(files.map((file) => [basename(file, '.ts'), file]))
}

async function bundle(product, outdir) {
  const result = await build({
    absWorkingDir: root,
    entryPoints: { ...product.entryPoints, ...threadsOf(product) },
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node22.18',
    conditions: ['source'],
    external: [...nativeDependencies(product), ...product.dependsOn],
    // Node 22 has `await using` only after lowering, and not the stacks.
    inject: [join(root, 'scripts/package/disposable-stack.mjs')],
    plugins: [nodeBuiltins],
    outdir,
    chunkNames: 'chunk-[hash]',
    legalComments: 'none',
    metafile: true,
    logLevel: 'warning',
  })
  return result.metafile
}

function writeManifest(product, types, staging) {
  const { keywords, bin, dependsOn } = product
  const { name, version, description, license, engines } = ours.get(product.name).manifest
  const dependencies = Object.fromEntries(dependsOn.map((other) => [other, ours.get(other).manifest.version]))
  for (const dependency of nativeDependencies(product))
    dependencies[dependency] = readJson(join(root, 'node_modules', dependency, 'package.json')).version
  const manifest = {
    name,
    version,
    description,
    keywords,
    license,
    type: 'module',
    ...(bin === null ? {} : { bin: bin.commands }),
    exports: {
      '.': { types: `./types/${types}`, default: './dist/index.js' },
      './package.json': './package.json',
    },
    types: `./types/${types}`,
    files: [...(bin === null ? [] : ['bin']), 'dist', 'types', 'NOTICE', 'THIRD-PARTY-LICENSES'],
    engines,
    dependencies,
    // npm takes a scope's packages for private ones unless told.
    ...(name.startsWith('@') ? { publishConfig: { access: 'public' } } : {}),
  }
  writeFileSync(join(staging, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
}

/** The licence texts of what was bundled and is not ours. */
function writeThirdPartyLicences({ inputs }, staging) {
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
