/**
 * Nodes in one LMDB file: an entry for each node, and one for the last transaction id. Each commit is one LMDB transaction, synced
 * before it resolves; after a crash at any point the file holds the commits that had resolved and at most one more, whole.
 */
import { createRequire } from 'node:module'
import { decodeNode, encodeNode } from './node-codec.ts'
import type { NodeStore } from './node-store.ts'

/** Not a path, so it cannot meet a node. */
const ZXID_KEY = 'zxid'
/** Address space at the beginning; LMDB doubles it as the tree grows. No memory or disk is taken by it. */
const INITIAL_MAP_BYTES = 16 * 1024 * 1024

/**
 * Opens the file, or creates it. `lmdb` is loaded here, so that those who keep nothing do not pay for it; and as its one CommonJS file, which
 * takes 10 ms less of the start than its twenty modules.
 */
export async function openLmdbStore(path: string): Promise<NodeStore> {
  const { open } = createRequire(import.meta.url)('lmdb') as typeof import('lmdb')
  const database = open<Uint8Array, string>({
    path,
    noSubdir: true,
    encoding: 'binary',
    // A commit is synced before it resolves, not after.
    overlappingSync: false,
    mapSize: INITIAL_MAP_BYTES,
    maxDbs: 1,
    maxReaders: 8,
    cache: false,
    compression: false,
  })
  return {
    load() {
      const counter = database.get(ZXID_KEY)
      const zxid = counter === undefined ? 0 : Number(Buffer.from(counter).readBigUInt64BE())
      const entries = database.getRange({ start: '/', end: '0' })
      return { zxid, nodes: entries.map(({ key, value }) => [key, decodeNode(key, value)]) }
    },
    async commit(zxid, changes) {
      const counter = Buffer.alloc(8)
      counter.writeBigUInt64BE(BigInt(zxid))
      await database.batch(() => {
        for (const [key, node] of changes) {
          if (node === null) void database.remove(key)
          else void database.put(key, encodeNode(node))
        }
        void database.put(ZXID_KEY, counter)
      })
    },
    close: () => database.close(),
  }
}
