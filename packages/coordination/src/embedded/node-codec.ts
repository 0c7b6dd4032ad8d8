/**
 * A node as the value of an LMDB entry whose key is the node's path. Big-endian:
 *
 *   int8 format (1) · uint64 czxid · uint64 mzxid · int32 version · int32 childrenVersion · int64 createdMs · uint64 ephemeralOwner · data
 *
 * The number of children is not stored: it is counted when the tree is read.
 */
import type { TreeNode } from './tree-nodes.ts'

const FORMAT = 1
const HEADER_BYTES = 41

export function encodeNode(node: TreeNode): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + node.data.length)
  const view = new DataView(bytes.buffer)
  view.setInt8(0, FORMAT)
  view.setBigUint64(1, BigInt(node.czxid))
  view.setBigUint64(9, BigInt(node.mzxid))
  view.setInt32(17, node.version)
  view.setInt32(21, node.childrenVersion)
  view.setBigInt64(25, BigInt(node.createdMs))
  view.setBigUint64(33, BigInt(node.ephemeralOwner))
  bytes.set(node.data, HEADER_BYTES)
  return bytes
}

/** Copies what it keeps of `bytes`. @throws Error when the bytes are not a node. */
export function decodeNode(path: string, bytes: Uint8Array): TreeNode {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < HEADER_BYTES || view.getInt8(0) !== FORMAT)
    throw new Error(
      `coordination tree: the entry of ${path} has ${bytes.length} bytes of format ${bytes[0]}, expected at least ${HEADER_BYTES} of format ${FORMAT}`,
    )
  return {
    czxid: Number(view.getBigUint64(1)),
    mzxid: Number(view.getBigUint64(9)),
    version: view.getInt32(17),
    childrenVersion: view.getInt32(21),
    createdMs: Number(view.getBigInt64(25)),
    ephemeralOwner: Number(view.getBigUint64(33)),
    childrenCount: 0,
    data: Buffer.from(bytes.subarray(HEADER_BYTES)),
  }
}
