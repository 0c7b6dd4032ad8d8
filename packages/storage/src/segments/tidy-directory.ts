/**
 * Brings a log's directory into order before its segments are opened: files that a deletion left behind, and the cleaner's work where a
 * crash interrupted it. Source: Kafka's LogLoader.
 *
 * The cleaner writes `.cleaned` files, renames them to `.swap` when all are complete, and then puts them in the place of the segments
 * they cover. So `.cleaned` files are worthless, `.swap` files are as good as what they replace, and whatever lies in the range of
 * offsets they cover is obsolete.
 */
import type { Logger } from '@millrace/runtime'
import { defaultLogConfig } from '../log-config.ts'
import type { LogServices } from '../log-services.ts'
import { parseSegmentFileName, segmentFileName, type SegmentFileName } from '../formats/segment-file-name.ts'
import { Segment } from './segment.ts'

export interface LogDirectoryContent {
  /** Base offsets, ascending. */
  readonly logs: readonly bigint[]
  readonly transactionIndexes: ReadonlySet<bigint>
  readonly snapshots: readonly bigint[]
  /** Names of all other files. */
  readonly others: ReadonlySet<string>
  sizeBytesOf(baseOffset: bigint): number
}

/** @throws the disk's error. */
export function tidyDirectory(services: LogServices, logger: Logger, directory: string): LogDirectoryContent {
  const { disk } = services
  let { files, others } = list(services, directory)
  if (files.some(({ state }) => state !== 'live')) {
    removeLeftovers(services, logger, directory, files)
    ;({ files, others } = list(services, directory))
  }
  const logs = new Set(files.filter(({ kind }) => kind === 'log').map(({ baseOffset }) => baseOffset))
  for (const { baseOffset, kind } of files) {
    if (kind === 'log' || kind === 'snapshot' || logs.has(baseOffset)) continue
    logger.warn('removing an index without a segment', { directory, baseOffset, kind })
    disk.removeSync(`${directory}/${segmentFileName(baseOffset, kind)}`)
  }
  const offsetsOf = (kind: SegmentFileName['kind']) =>
    files.filter((file) => file.kind === kind).map(({ baseOffset }) => baseOffset)
  return {
    logs: [...logs].sort(ascending),
    transactionIndexes: new Set(offsetsOf('txnindex')),
    snapshots: offsetsOf('snapshot').sort(ascending),
    others,
    sizeBytesOf: (baseOffset) => disk.statusSync(`${directory}/${segmentFileName(baseOffset, 'log')}`)?.sizeBytes ?? 0,
  }
}

function list({ disk }: LogServices, directory: string): { files: SegmentFileName[]; others: Set<string> } {
  const files: SegmentFileName[] = []
  const others = new Set<string>()
  for (const { name, isDirectory } of disk.listSync(directory)) {
    const parsed = isDirectory ? null : parseSegmentFileName(name)
    if (parsed === null) others.add(name)
    else files.push(parsed)
  }
  return { files, others }
}

function removeLeftovers(
  services: LogServices,
  logger: Logger,
  directory: string,
  files: readonly SegmentFileName[],
): void {
  const { disk } = services
  const remove = ({ baseOffset, kind, state }: SegmentFileName) =>
    disk.removeSync(`${directory}/${segmentFileName(baseOffset, kind, state)}`)
  const cleaned = files.filter(({ state }) => state === 'cleaned')
  // A segment that was being split leaves `.swap` files behind the first `.cleaned` one: those belong to the unfinished split.
  const firstCleaned = cleaned.map(({ baseOffset }) => baseOffset).sort(ascending)[0]
  const isUnfinished = ({ baseOffset }: SegmentFileName) => firstCleaned !== undefined && baseOffset >= firstCleaned
  const swap = files.filter(({ state }) => state === 'swap')
  for (const file of files.filter(({ state }) => state === 'deleted')) remove(file)
  for (const file of swap.filter(isUnfinished)) remove(file)
  for (const file of cleaned) remove(file)
  const complete = swap.filter((file) => !isUnfinished(file))
  const swapLogs = complete
    .filter(({ kind }) => kind === 'log')
    .map(({ baseOffset }) => baseOffset)
    .sort(ascending)
  if (swapLogs.length > 0) {
    const first = swapLogs[0]!
    const end = endOfSwap(services, logger, directory, swapLogs.at(-1)!)
    logger.info('putting cleaned segments in the place of what they cover', { directory, from: first, to: end })
    for (const file of files)
      if (file.state === 'live' && file.baseOffset >= first && file.baseOffset < end) remove(file)
  }
  for (const { baseOffset, kind } of complete)
    disk.renameSync(
      `${directory}/${segmentFileName(baseOffset, kind, 'swap')}`,
      `${directory}/${segmentFileName(baseOffset, kind)}`,
    )
}

function endOfSwap(services: LogServices, logger: Logger, directory: string, baseOffset: bigint): bigint {
  const path = `${directory}/${segmentFileName(baseOffset, 'log', 'swap')}`
  const segment = new Segment({
    services,
    logger,
    directory,
    baseOffset,
    sizeBytes: services.disk.statusSync(path)?.sizeBytes ?? 0,
    config: defaultLogConfig,
    exists: true,
    hasTransactionIndex: false,
    state: 'swap',
  })
  try {
    return segment.readEndOffset()
  } finally {
    segment.closeFiles()
  }
}

function ascending(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0
}
