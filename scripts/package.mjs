// Writes the publishable tarballs to dist/: everything of ours bundled into a few files, so that installing is quick and starting
// quicker; declarations for TypeScript; a package.json that names only the packages that cannot be bundled (native ones).
//
//   dist/package/<product>/   what is in its tarball
//     bin/                  of `millrace` only: plain JavaScript for any Node, checks the version, hands over
//     dist/index.js         the library        ┐
//     dist/command.js       of `millrace` only │ share chunks
//     dist/*-thread.js      worker threads     ┘
//     types/                declarations, by package
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { emitDeclarations, packageProduct } from './package/package-product.mjs'
import { products } from './package/products.mjs'
import { root } from './package/workspace.mjs'

const output = join(root, 'dist')
rmSync(output, { recursive: true, force: true })
mkdirSync(output, { recursive: true })
emitDeclarations(products)
for (const product of products) await packageProduct(product, output)
