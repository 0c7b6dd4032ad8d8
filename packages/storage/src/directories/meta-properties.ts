/**
 * `meta.properties`: whose data a log directory holds. Java's properties format:
 *
 *     version=1          version=0 (or no version line)
 *     cluster.id=…       cluster.id=…   optional
 *     node.id=…          broker.id=…    optional
 *     directory.id=…     directory.id=… optional; 16 bytes as base64url, unique within the cluster
 *
 * Read once at start, and written when it is missing or has no directory id. Source: Kafka's MetaProperties, MetaPropertiesEnsemble.
 */
import type { Disk, Random } from '@millrace/runtime'

const metaPropertiesFile = 'meta.properties'

export interface MetaProperties {
  readonly version: 0 | 1
  readonly clusterId: string | null
  readonly nodeId: number | null
  /** 22 characters base64url. */
  readonly directoryId: string | null
}

/** The directory belongs to another cluster or node, or two directories claim to be the same: the broker must not start. */
export class ForeignDirectoryError extends Error {
  override readonly name = 'ForeignDirectoryError'
}

/** null when the directory has none: it is new. @throws Error when the file is malformed, or the disk's error. */
export function readMetaProperties(disk: Disk, directory: string): MetaProperties | null {
  const path = `${directory}/${metaPropertiesFile}`
  if (!disk.existsSync(path)) return null
  return decodeMetaProperties(new TextDecoder().decode(disk.readFileSync(path)), path)
}

export function writeMetaProperties(disk: Disk, directory: string, properties: MetaProperties): void {
  disk.replaceFileSync(`${directory}/${metaPropertiesFile}`, encodeMetaProperties(properties))
}

export function encodeMetaProperties({ version, clusterId, nodeId, directoryId }: MetaProperties): Uint8Array {
  const lines = [`version=${version}`]
  if (clusterId !== null) lines.push(`cluster.id=${escapeValue(clusterId)}`)
  if (nodeId !== null) lines.push(`${version === 0 ? 'broker.id' : 'node.id'}=${nodeId}`)
  if (directoryId !== null) lines.push(`directory.id=${escapeValue(directoryId)}`)
  return new TextEncoder().encode(`${lines.join('\n')}\n`)
}

/** `path` is for messages only. @throws Error naming the line or key that is wrong. */
export function decodeMetaProperties(text: string, path: string): MetaProperties {
  const values = parseProperties(text)
  const versionText = values.get('version')?.trim() ?? '0'
  if (versionText !== '0' && versionText !== '1')
    throw new Error(`${path}: expected version 0 or 1, got ${JSON.stringify(versionText)}`)
  const version = versionText === '0' ? 0 : 1
  const nodeKey = version === 0 ? 'broker.id' : 'node.id'
  const nodeText = values.get(nodeKey)?.trim()
  if (nodeText !== undefined && !/^-?\d{1,10}$/.test(nodeText))
    throw new Error(`${path}: expected a number for ${nodeKey}, got ${JSON.stringify(nodeText)}`)
  const clusterId = values.get('cluster.id') ?? null
  if (version === 1 && clusterId === null) throw new Error(`${path}: cluster.id is missing`)
  if (version === 1 && nodeText === undefined) throw new Error(`${path}: node.id is missing`)
  const directoryId = values.get('directory.id') ?? null
  if (directoryId !== null && !/^[\w-]{22}$/.test(directoryId))
    throw new Error(`${path}: expected 22 base64url characters for directory.id, got ${JSON.stringify(directoryId)}`)
  return { version, clusterId, nodeId: nodeText === undefined ? null : Number(nodeText), directoryId }
}

/**
 * Refuses directories of another cluster or node, reserved directory ids and two directories with one id.
 * `found` is null for a new directory. @throws ForeignDirectoryError.
 */
export function verifyMetaProperties(
  directories: ReadonlyMap<string, MetaProperties | null>,
  expected: { readonly clusterId: string; readonly nodeId: number },
): void {
  const ownerOfId = new Map<string, string>()
  for (const [directory, found] of directories) {
    if (found === null) continue
    const path = `${directory}/${metaPropertiesFile}`
    if (found.clusterId !== null && found.clusterId !== expected.clusterId)
      throw new ForeignDirectoryError(
        `${path}: expected cluster.id ${expected.clusterId}, got ${found.clusterId}: this directory holds the data of another cluster`,
      )
    if (found.nodeId !== null && found.nodeId !== expected.nodeId)
      throw new ForeignDirectoryError(
        `${path}: expected node id ${expected.nodeId}, got ${found.nodeId}: this directory holds the data of another node. ` +
          'If the data was moved here, configure its node id; to create a new node, empty its data directories',
      )
    if (found.directoryId === null) continue
    if (isReservedDirectoryId(found.directoryId))
      throw new ForeignDirectoryError(`${path}: directory.id ${found.directoryId} is reserved`)
    const other = ownerOfId.get(found.directoryId)
    if (other !== undefined)
      throw new ForeignDirectoryError(
        `${path}: directory.id ${found.directoryId} is also that of ${other}; one is a copy of the other`,
      )
    ownerOfId.set(found.directoryId, directory)
  }
}

/** A fresh id, safe as a command-line argument (no leading `-`) and not reserved. */
export function newDirectoryId(random: Random): string {
  for (;;) {
    const id = Buffer.from(random.bytes(16)).toString('base64url')
    if (!id.startsWith('-') && !isReservedDirectoryId(id)) return id
  }
}

/** Kafka keeps the first hundred ids for itself: 0 unassigned, 1 lost, 2 migrating. */
function isReservedDirectoryId(id: string): boolean {
  const bytes = Buffer.from(id, 'base64url')
  return bytes.subarray(0, 15).every((byte) => byte === 0) && bytes[15]! < 100
}

function parseProperties(text: string): Map<string, string> {
  const values = new Map<string, string>()
  for (const raw of text.split(/\r\n|\r|\n/)) {
    const line = raw.trimStart()
    if (line === '' || line.startsWith('#') || line.startsWith('!')) continue
    const [, key = '', value = ''] = /^((?:\\.|[^\\=:\s])*)\s*[=:]?\s*(.*)$/.exec(line) ?? []
    values.set(unescapeText(key), unescapeText(value))
  }
  return values
}

function unescapeText(text: string): string {
  return text.replaceAll(/\\(u[\da-fA-F]{4}|.)/g, (_, escaped: string) =>
    escaped.length === 5 ? String.fromCharCode(Number.parseInt(escaped.slice(1), 16)) : escaped,
  )
}

function escapeValue(text: string): string {
  return text.replaceAll(/[\\=:#!]/g, '\\$&')
}
