// Declarations for a tarball: those that the product's index.d.ts reaches, with imports of our packages turned into paths.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { ours, root } from './workspace.mjs'

/** Returns where the entry is in `target`. */
export function copyDeclarations({ name, dependsOn }, target) {
  const placeOf = (file) => join(target, relative(join(root, 'packages'), file).replace(/[/\\]dist[/\\]/, '/'))
  const done = new Set()
  const copy = (file) => {
    if (done.has(file)) return
    done.add(file)
    const text = readFileSync(file, 'utf8')
      .replace(/^\/\/# sourceMappingURL=.*$/gm, '')
      .replace(/(from |import\()(["'])([^"']+)\2/g, (whole, keyword, quote, specifier) => {
        const imported = dependsOn.includes(specifier) ? null : declarationOf(specifier, file)
        if (imported === null) return whole
        copy(imported)
        const path = relative(dirname(placeOf(file)), placeOf(imported))
          .replaceAll('\\', '/')
          .replace(/\.d\.ts$/, '.js')
        return `${keyword}${quote}${path.startsWith('.') ? path : `./${path}`}${quote}`
      })
    mkdirSync(dirname(placeOf(file)), { recursive: true })
    writeFileSync(placeOf(file), text)
  }
  const { manifest, directory } = ours.get(name)
  const entry = join(directory, manifest.exports['.'].types)
  copy(entry)
  // Projects that target an older library still know Symbol.asyncDispose this way.
  writeFileSync(placeOf(entry), `/// <reference lib="esnext.disposable" />\n${readFileSync(placeOf(entry), 'utf8')}`)
  return relative(target, placeOf(entry)).replaceAll('\\', '/')
}

/**
 * null for what is not ours.
 * @throws Error for a product that is no dependency: the compiler takes any export of a type to name it, also one that only tests import.
 */
function declarationOf(specifier, importer) {
  if (specifier.startsWith('.')) return resolve(dirname(importer), specifier.replace(/\.[jt]s$/, '.d.ts'))
  if (specifier === 'millrace') throw new Error(`${importer} declares something by ${specifier}`)
  const [scope, name, ...rest] = specifier.split('/')
  const owner = ours.get(`${scope}/${name}`)
  if (owner === undefined) return null
  const entry = owner.manifest.exports[rest.length === 0 ? '.' : `./${rest.join('/')}`]
  return join(owner.directory, entry.types)
}
