import { CoordinationError } from './coordination-error.ts'

/** Bound on a path, in UTF-16 units; LMDB keys may have 1978 bytes. */
export const MAX_PATH_LENGTH = 600

// eslint-disable-next-line no-control-regex
const FORBIDDEN = /[\u0000-\u001f\u007f-\u009f\ud800-\uf8ff\ufff0-\uffff]/

/** ZooKeeper's rules: absolute, no empty, `.` or `..` segment, no control characters. @throws CoordinationError `bad-arguments`. */
export function validatePath(path: string): void {
  if (path === '/') return
  const problem = problemOf(path)
  if (problem !== null)
    throw new CoordinationError('bad-arguments', `node path ${JSON.stringify(path)}: ${problem}`, { path })
}

function problemOf(path: string): string | null {
  if (path[0] !== '/') return 'expected it to begin with /'
  if (path.length > MAX_PATH_LENGTH) return `expected at most ${MAX_PATH_LENGTH} characters, got ${path.length}`
  if (path.endsWith('/')) return 'expected it not to end with /'
  if (path.includes('//') || /\/\.{1,2}(\/|$)/.test(path)) return 'expected no empty, . or .. segment'
  return FORBIDDEN.test(path) ? 'expected no control or private-use characters' : null
}

/** `/` for a node at the top. `path` must not be the root. */
export function parentOf(path: string): string {
  const slash = path.lastIndexOf('/')
  return slash === 0 ? '/' : path.slice(0, slash)
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}
