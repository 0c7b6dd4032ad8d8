// Packages of other clients lie in a folder of their own, so that they are nobody's dependencies.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** The folder comes in FOREIGN_PACKAGES. */
export async function foreignPackage<Module>(name: string): Promise<Module> {
  const folder = process.env['FOREIGN_PACKAGES']
  if (folder === undefined) throw new Error('FOREIGN_PACKAGES is not set')
  const file = createRequire(join(folder, 'package.json')).resolve(name)
  return (await import(pathToFileURL(file).href)) as Module
}
