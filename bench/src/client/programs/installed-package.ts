// The clients lie in folders of their own, so that those of others are nobody's dependencies, and ours is as its users get it.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** From the folder CLIENT_PACKAGES; without it from where this file finds it, which is how ours is had from the sources. */
export async function installedPackage<Module>(name: string): Promise<Module> {
  const folder = process.env['CLIENT_PACKAGES']
  if (folder === undefined) return (await import(name)) as Module
  const file = createRequire(join(folder, 'package.json')).resolve(name)
  return (await import(pathToFileURL(file).href)) as Module
}
