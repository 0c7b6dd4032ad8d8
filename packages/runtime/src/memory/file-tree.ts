/** Directories and files in memory. Paths are split at `/`; leading, trailing and doubled ones do not matter. Errors are Node's. */

import { FileContent } from './file-content.ts'

export class FileNode {
  content = new FileContent()
  modifiedMs: number

  constructor(nowMs: number) {
    this.modifiedMs = nowMs
  }
}

export class DirectoryNode {
  readonly entries = new Map<string, TreeNode>()
  modifiedMs: number

  constructor(nowMs: number) {
    this.modifiedMs = nowMs
  }
}

export type TreeNode = FileNode | DirectoryNode

export class FileTree {
  readonly root: DirectoryNode
  /** Told of each entry that appears or changes (`node`), or goes (null), after the fact. */
  readonly #onEntry: (directory: DirectoryNode, name: string, node: TreeNode | null) => void
  readonly #now: () => number

  constructor(now: () => number, onEntry: (directory: DirectoryNode, name: string, node: TreeNode | null) => void) {
    this.#now = now
    this.#onEntry = onEntry
    this.root = new DirectoryNode(now())
  }

  find(path: string): TreeNode | null {
    let node: TreeNode = this.root
    for (const name of partsOf(path)) {
      const next: TreeNode | undefined = node instanceof DirectoryNode ? node.entries.get(name) : undefined
      if (next === undefined) return null
      node = next
    }
    return node
  }

  /** @throws ENOENT, EISDIR. */
  file(path: string, operation: string): FileNode {
    const node = this.find(path)
    if (node === null) throw diskError('ENOENT', operation, path)
    if (node instanceof DirectoryNode) throw diskError('EISDIR', operation, path)
    return node
  }

  /** @throws ENOENT, ENOTDIR. */
  directory(path: string, operation: string): DirectoryNode {
    const node = this.find(path)
    if (node === null) throw diskError('ENOENT', operation, path)
    if (node instanceof FileNode) throw diskError('ENOTDIR', operation, path)
    return node
  }

  /** The file at `path`, created when absent. @throws ENOENT for its directory, EISDIR. */
  createFile(path: string, operation: string): FileNode {
    const found = this.find(path)
    if (found !== null) return this.file(path, operation)
    const { directory, name } = this.#parent(path, operation)
    const file = new FileNode(this.#now())
    this.#set(directory, name, file)
    return file
  }

  makeDirectory(path: string): void {
    let node = this.root
    for (const name of partsOf(path)) {
      let next = node.entries.get(name)
      if (next instanceof FileNode) throw diskError('EEXIST', 'mkdir', path)
      if (next === undefined) {
        next = new DirectoryNode(this.#now())
        this.#set(node, name, next)
      }
      node = next
    }
  }

  rename(from: string, to: string): void {
    const moved = this.find(from)
    if (moved === null) throw diskError('ENOENT', 'rename', from)
    const source = this.#parent(from, 'rename')
    const target = this.#parent(to, 'rename')
    const replaced = target.directory.entries.get(target.name)
    if (replaced === moved) return
    if (replaced instanceof DirectoryNode) {
      if (moved instanceof FileNode) throw diskError('EISDIR', 'rename', to)
      if (replaced.entries.size > 0) throw diskError('ENOTEMPTY', 'rename', to)
    } else if (replaced instanceof FileNode && moved instanceof DirectoryNode) throw diskError('ENOTDIR', 'rename', to)
    if (moved instanceof DirectoryNode && isBelow(to, from)) throw diskError('EINVAL', 'rename', to)
    this.#set(target.directory, target.name, moved)
    this.#set(source.directory, source.name, null)
  }

  /** Removes a file, or a directory with all below it; false when there is nothing. */
  remove(path: string): boolean {
    if (this.find(path) === null) return false
    const { directory, name } = this.#parent(path, 'unlink')
    this.#set(directory, name, null)
    return true
  }

  #parent(path: string, operation: string): { directory: DirectoryNode; name: string } {
    const parts = partsOf(path)
    const name = parts.pop()
    if (name === undefined) throw diskError('EBUSY', operation, path)
    return { directory: this.directory(parts.join('/'), operation), name }
  }

  #set(directory: DirectoryNode, name: string, node: TreeNode | null): void {
    if (node === null) directory.entries.delete(name)
    else directory.entries.set(name, node)
    directory.modifiedMs = this.#now()
    this.#onEntry(directory, name, node)
  }
}

export function diskError(code: string, operation: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${operation} '${path}'`), { code, syscall: operation, path })
}

export function parentOf(path: string): string {
  return partsOf(path).slice(0, -1).join('/')
}

/** Sum of the sizes of the files in `directory` and below. */
export function sizeBelow(directory: DirectoryNode): number {
  let sum = 0
  for (const node of directory.entries.values()) {
    sum += node instanceof DirectoryNode ? sizeBelow(node) : node.content.size
  }
  return sum
}

function partsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.')
}

function isBelow(path: string, directory: string): boolean {
  const parts = partsOf(path)
  return partsOf(directory).every((part, i) => parts[i] === part)
}
