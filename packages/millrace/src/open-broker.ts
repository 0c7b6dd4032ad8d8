/** Starts a broker with its own embedded coordination tree: what the command and `startBroker` have in common. */
import { join, resolve } from 'node:path'
import { Broker, type BrokerConfig } from '@millrace/broker'
import { EmbeddedTree } from '@millrace/coordination'
import { MemoryDisk, nodeRuntime, type Disk, type Logger, type Runtime } from '@millrace/runtime'

/** In the first log directory: the cluster's metadata, and the lock on it. */
const treeFile = 'millrace-metadata.mdb'
const treeLock = '.millrace-metadata.lock'

export interface OpenBrokerOptions {
  readonly config: BrokerConfig
  /** Whether the log directories of the configuration are real ones. */
  readonly storage: 'disk' | 'memory'
  readonly logger: Logger
  readonly onFatal?: (error: Error) => void
}

/** A data directory that cannot be used, in words for people. */
export class DataDirectoryError extends Error {
  override readonly name = 'DataDirectoryError'
}

/**
 * Resolves when requests are served. Disposing of it stops the broker cleanly.
 * @throws DataDirectoryError; Error with code EADDRINUSE… for listeners; what the storage finds wrong with its files.
 */
export async function openBroker(options: OpenBrokerOptions): Promise<{ broker: Broker; stop: () => Promise<void> }> {
  await using cleanup = new AsyncDisposableStack()
  const runtime = runtimeOf(options.storage)
  const { config, logger, onFatal } = options
  const tree = await openTree(options, runtime, cleanup)
  const broker = await Broker.start({ runtime, config, tree, logger, ...(onFatal === undefined ? {} : { onFatal }) })
  cleanup.defer(() => broker.stop())
  const owned = cleanup.move()
  let stopped: Promise<void> | undefined
  return { broker, stop: () => (stopped ??= owned.disposeAsync()) }
}

function runtimeOf(storage: 'disk' | 'memory'): Runtime {
  const runtime = nodeRuntime()
  return storage === 'disk' ? runtime : { ...runtime, disk: new MemoryDisk({ now: () => runtime.clock.now() }) }
}

async function openTree(
  { config, storage }: OpenBrokerOptions,
  { clock, disk }: Runtime,
  cleanup: AsyncDisposableStack,
): Promise<EmbeddedTree> {
  if (storage === 'memory') return cleanup.use(await EmbeddedTree.open({ clock }))
  const directory = resolve(config.logDirectories[0]!)
  cleanup.use(lockDirectory(disk, directory))
  return cleanup.use(await EmbeddedTree.open({ clock, disk, path: join(directory, treeFile) }))
}

/** Nobody else may open the tree's file, so it is locked before it is looked at. */
function lockDirectory(disk: Disk, directory: string): Disposable {
  let lock: Disposable | null
  try {
    disk.makeDirectorySync(directory)
    lock = disk.tryLock(join(directory, treeLock))
  } catch (error) {
    throw new DataDirectoryError(`cannot use the data directory ${directory}: ${(error as Error).message}`, {
      cause: error,
    })
  }
  if (lock === null) throw new DataDirectoryError(`the data directory ${directory} is in use by another broker`)
  return lock
}
