/** Who waits for which change. One-shot: a watcher is forgotten as it is called. */
import type { WatchEvent, Watcher } from '../tree.ts'

interface Waiting {
  readonly sessionId: number
  readonly watcher: Watcher
}

export class Watches {
  readonly #onNode = new Map<string, Set<Waiting>>()
  readonly #onChildren = new Map<string, Set<Waiting>>()

  /** For the node's creation, change and deletion. */
  addOnNode(path: string, sessionId: number, watcher: Watcher): void {
    add(this.#onNode, path, { sessionId, watcher })
  }

  /** For a child's creation and deletion, and the node's own deletion. */
  addOnChildren(path: string, sessionId: number, watcher: Watcher): void {
    add(this.#onChildren, path, { sessionId, watcher })
  }

  /** Calls, each in a microtask of its own, the watchers that wait for the event. */
  fire(event: WatchEvent): void {
    if (event.kind !== 'children') fireAll(this.#onNode, event)
    if (event.kind === 'children' || event.kind === 'deleted') fireAll(this.#onChildren, event)
  }

  dropSession(sessionId: number): void {
    for (const watches of [this.#onNode, this.#onChildren]) {
      for (const [path, waiting] of watches) {
        for (const each of waiting) if (each.sessionId === sessionId) waiting.delete(each)
        if (waiting.size === 0) watches.delete(path)
      }
    }
  }
}

function add(watches: Map<string, Set<Waiting>>, path: string, waiting: Waiting): void {
  const present = watches.get(path)
  if (present === undefined) watches.set(path, new Set([waiting]))
  else present.add(waiting)
}

function fireAll(watches: Map<string, Set<Waiting>>, event: WatchEvent): void {
  const waiting = watches.get(event.path)
  if (waiting === undefined) return
  watches.delete(event.path)
  for (const { watcher } of waiting) queueMicrotask(() => watcher(event))
}
