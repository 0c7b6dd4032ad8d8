/**
 * A node as the value of an LMDB entry whose key is the node's path. Big-endian:
 *
 *   int8 format (1) · uint64 czxid · uint64 mzxid · int32 version · int32 childrenVersion · uint64 createdMs · uint64 ephemeralOwner · data
 *
 * The number of children is not stored: it is counted when the tree is read.
 */
import type { TreeNode } from './tree-nodes.ts'

const FORMAT = 1
const HEADER_BYTES = 41

export function encodeNode(node: TreeNode): Uint8Array {
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + node.data.length)
  bytes[0] = FORMAT
  writeUint64(bytes, node.czxid, 1)
  writeUint64(bytes, node.mzxid, 9)
  bytes.writeInt32BE(node.version, 17)
  bytes.writeInt32BE(node.childrenVersion, 21)
  writeUint64(bytes, node.createdMs, 25)
  writeUint64(bytes, node.ephemeralOwner, 33)
  bytes.set(node.data, HEADER_BYTES)
  return bytes
}

/** Copies what it keeps of `bytes`. @throws Error when the bytes are not a node. */
export function decodeNode(path: string, bytes: Uint8Array): TreeNode {
  const buffer = Buffer.from(bytes)
  if (buffer.length < HEADER_BYTES || buffer[0] !== FORMAT)
    throw new Error(
      `coordination tree: the entry of ${path} has ${buffer.length} bytes of format ${buffer[0]}, expected at least ${HEADER_BYTES} of format ${FORMAT}`,
    )
  return {
    czxid: readUint64(buffer, 1),
    mzxid: readUint64(buffer, 9),
    version: buffer.readInt32BE(17),
    childrenVersion: buffer.readInt32BE(21),
    createdMs: readUint64(buffer, 25),
    ephemeralOwner: readUint64(buffer, 33),
    childrenCount: 0,
    data: buffer.subarray(HEADER_BYTES),
  }
}

/** The numbers here are counts and times, far below 2^53, so no bigint is needed. */
function writeUint64(bytes: Buffer, value: number, at: number): void {
  bytes.writeUInt32BE(Math.floor(value / 0x1_0000_0000), at)
  bytes.writeUInt32BE(value % 0x1_0000_0000, at + 4)
}

function readUint64(bytes: Buffer, at: number): number {
  return bytes.readUInt32BE(at) * 0x1_0000_0000 + bytes.readUInt32BE(at + 4)
}
