import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nodeRuntime } from '@millrace/runtime'
import { EmbeddedSession } from './embedded-session.ts'
import { EmbeddedTree } from './embedded-tree.ts'
import { testCoordinationTree } from '../testing/contract.ts'
import type { EngineUnderTest } from '../testing/contract.ts'
import type { CoordinationSession } from '../tree.ts'

const { clock } = nodeRuntime()

async function engineOn(tree: EmbeddedTree, remove: () => void): Promise<EngineUnderTest> {
  const embedded = (session: CoordinationSession): EmbeddedSession => {
    if (!(session instanceof EmbeddedSession)) throw new TypeError('expected a session of the embedded engine')
    return session
  }
  const watcher = await tree.connect()
  return {
    tree,
    root: '',
    expire: async (session) => {
      embedded(session).expire()
      // An awaited write of another session comes after the removal of the expired session's nodes.
      await watcher.multi([])
    },
    disconnect: async (session) => embedded(session).disconnect(),
    reconnect: async (session) => embedded(session).reconnect(),
    [Symbol.asyncDispose]: async () => {
      await tree[Symbol.asyncDispose]()
      remove()
    },
  }
}

testCoordinationTree('embedded in memory', async () => engineOn(await EmbeddedTree.open({ clock }), () => {}))

testCoordinationTree('embedded on disk', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-tree-'))
  const tree = await EmbeddedTree.open({ clock, path: join(directory, 'tree.mdb') })
  return engineOn(tree, () => rmSync(directory, { recursive: true }))
})
