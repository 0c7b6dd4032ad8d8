/**
 * An immutable map that shares structure with the maps it was made from: `with` and `without` copy only the path to the entry,
 * O(log₃₂ n), so that an image of 10,000 topics can be derived for each single change.
 *
 * A hash array mapped trie: each level consumes five bits of the key's hash; a branch stores its children densely behind a bitmap.
 * Iteration is in hash order: stable for equal contents, but of no meaning.
 */
type Key = string | number

interface Leaf<K, V> {
  readonly kind: 'leaf'
  readonly hash: number
  readonly key: K
  readonly value: V
}

/** Two or more keys of the same hash. */
interface Collision<K, V> {
  readonly kind: 'collision'
  readonly hash: number
  readonly leaves: readonly Leaf<K, V>[]
}

interface Branch<K, V> {
  readonly kind: 'branch'
  readonly bitmap: number
  readonly children: readonly Node<K, V>[]
}

type Node<K, V> = Leaf<K, V> | Collision<K, V> | Branch<K, V>

const BITS = 5
const MASK = 31

export class PersistentMap<K extends Key, V> implements ReadonlyMap<K, V> {
  readonly size: number
  readonly #root: Node<K, V> | null

  private constructor(root: Node<K, V> | null, size: number) {
    this.#root = root
    this.size = size
  }

  static empty<K extends Key, V>(): PersistentMap<K, V> {
    return new PersistentMap<K, V>(null, 0)
  }

  get(key: K): V | undefined {
    return this.#find(key)?.value
  }

  has(key: K): boolean {
    return this.#find(key) !== undefined
  }

  /** The map with `key` set to `value`; this very map when it holds that value already. */
  with(key: K, value: V): PersistentMap<K, V> {
    const leaf: Leaf<K, V> = { kind: 'leaf', hash: hashOf(key), key, value }
    if (this.#root === null) return new PersistentMap<K, V>(leaf, 1)
    const present = this.#find(key)
    if (present !== undefined && Object.is(present.value, value)) return this
    return new PersistentMap<K, V>(insert(this.#root, leaf, 0), this.size + (present === undefined ? 1 : 0))
  }

  /** The map without `key`; this very map when it lacks the key. */
  without(key: K): PersistentMap<K, V> {
    if (this.#root === null || !this.has(key)) return this
    return new PersistentMap<K, V>(remove(this.#root, hashOf(key), key, 0), this.size - 1)
  }

  forEach(callback: (value: V, key: K, map: ReadonlyMap<K, V>) => void): void {
    for (const leaf of leavesOf(this.#root)) callback(leaf.value, leaf.key, this)
  }

  *entries(): MapIterator<[K, V]> {
    for (const leaf of leavesOf(this.#root)) yield [leaf.key, leaf.value]
  }

  *keys(): MapIterator<K> {
    for (const leaf of leavesOf(this.#root)) yield leaf.key
  }

  *values(): MapIterator<V> {
    for (const leaf of leavesOf(this.#root)) yield leaf.value
  }

  [Symbol.iterator](): MapIterator<[K, V]> {
    return this.entries()
  }

  #find(key: K): Leaf<K, V> | undefined {
    const hash = hashOf(key)
    let node = this.#root
    for (let shift = 0; node !== null; shift += BITS) {
      if (node.kind === 'leaf') return node.key === key ? node : undefined
      if (node.kind === 'collision') return node.leaves.find((leaf) => leaf.key === key)
      const bit = 1 << ((hash >>> shift) & MASK)
      if ((node.bitmap & bit) === 0) return undefined
      node = node.children[positionOf(node.bitmap, bit)] ?? null
    }
    return undefined
  }
}

function insert<K extends Key, V>(node: Node<K, V>, leaf: Leaf<K, V>, shift: number): Node<K, V> {
  if (node.kind === 'branch') {
    const bit = 1 << ((leaf.hash >>> shift) & MASK)
    const at = positionOf(node.bitmap, bit)
    const child = node.children[at]
    if ((node.bitmap & bit) !== 0 && child !== undefined)
      return branch(node.bitmap, node.children.with(at, insert(child, leaf, shift + BITS)))
    return branch(node.bitmap | bit, node.children.toSpliced(at, 0, leaf))
  }
  if (node.hash !== leaf.hash) {
    const bit = 1 << ((node.hash >>> shift) & MASK)
    return insert(branch(bit, [node]), leaf, shift)
  }
  if (node.kind === 'leaf')
    return node.key === leaf.key ? leaf : { kind: 'collision', hash: leaf.hash, leaves: [node, leaf] }
  return { ...node, leaves: [...node.leaves.filter((other) => other.key !== leaf.key), leaf] }
}

/** `key` must be there. Returns null when nothing is left below. */
function remove<K extends Key, V>(node: Node<K, V>, hash: number, key: K, shift: number): Node<K, V> | null {
  if (node.kind === 'leaf') return null
  if (node.kind === 'collision') {
    const leaves = node.leaves.filter((leaf) => leaf.key !== key)
    return leaves.length === 1 ? (leaves[0] ?? null) : { ...node, leaves }
  }
  const bit = 1 << ((hash >>> shift) & MASK)
  const at = positionOf(node.bitmap, bit)
  const child = node.children[at]
  if (child === undefined) return node
  const left = remove(child, hash, key, shift + BITS)
  if (left !== null) {
    if (node.children.length === 1 && left.kind !== 'branch') return left
    return branch(node.bitmap, node.children.with(at, left))
  }
  const children = node.children.toSpliced(at, 1)
  const only = children[0]
  if (only === undefined) return null
  return children.length === 1 && only.kind !== 'branch' ? only : branch(node.bitmap & ~bit, children)
}

function branch<K, V>(bitmap: number, children: readonly Node<K, V>[]): Branch<K, V> {
  return { kind: 'branch', bitmap, children }
}

function* leavesOf<K, V>(node: Node<K, V> | null): Generator<Leaf<K, V>, undefined> {
  if (node === null) return
  if (node.kind === 'leaf') yield node
  else if (node.kind === 'collision') yield* node.leaves
  else for (const child of node.children) yield* leavesOf(child)
}

/** Where the child of `bit` is, or would be, among the children: the number of set bits below it. */
function positionOf(bitmap: number, bit: number): number {
  let bits = bitmap & (bit - 1)
  bits -= (bits >>> 1) & 0x55555555
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333)
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
}

function hashOf(key: Key): number {
  if (typeof key === 'number') return scramble(key | 0)
  let hash = 0x811c9dc5
  for (let index = 0; index < key.length; index++) hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193)
  return scramble(hash)
}

/** Spreads differences in any bit over all bits (the finalizer of MurmurHash3). */
function scramble(hash: number): number {
  let h = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) | 0
}
