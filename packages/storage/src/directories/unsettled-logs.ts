/** Logs just made, whose directories and partition.metadata may not be on the disk yet: many are made durable together, in the background. */
import type { Clock, Disk } from '@millrace/runtime'
import type { FilePool } from '../file-pool.ts'
import type { HostedLog, LogDirectory } from './log-directory.ts'
import { forEachPaced } from './pace.ts'
import { partitionMetadataFile } from './partition-metadata.ts'

const concurrency = 4

export class UnsettledLogs {
  readonly #directory: LogDirectory
  readonly #disk: Disk
  readonly #clock: Clock
  readonly #files: FilePool
  readonly #logs = new Set<HostedLog>()

  constructor(directory: LogDirectory, { disk, clock, files }: { disk: Disk; clock: Clock; files: FilePool }) {
    this.#directory = directory
    this.#disk = disk
    this.#clock = clock
    this.#files = files
  }

  /** Made here, or given a topic id. */
  add(hosted: HostedLog): void {
    this.#logs.add(hosted)
  }

  /** It has gone. */
  delete(hosted: HostedLog): void {
    this.#logs.delete(hosted)
  }

  clear(): void {
    this.#logs.clear()
  }

  /** Makes all durable. A failure takes the directory offline. */
  async settle(): Promise<void> {
    if (this.#logs.size === 0 || !this.#directory.isOnline) return
    const logs = [...this.#logs]
    await this.#directory.guardAsync(async () => {
      await forEachPaced(logs, { clock: this.#clock, concurrency }, async (hosted) => {
        if (!this.#logs.has(hosted)) return
        if (hosted.topicId !== null) {
          const file = this.#files.file(`${hosted.log.directory}/${partitionMetadataFile}`, 'write')
          try {
            await file.sync()
          } finally {
            file.close()
          }
        }
        if (this.#logs.delete(hosted)) this.#disk.syncDirectorySync(hosted.log.directory)
      })
      this.#disk.syncDirectorySync(this.#directory.path)
    })
  }

  /** One log, before it returns: for a topic whose records must survive from the first on. @throws the disk's error. */
  settleNow(hosted: HostedLog): void {
    if (hosted.topicId !== null)
      this.#files.withFile(`${hosted.log.directory}/${partitionMetadataFile}`, 'write', (file) => file.syncSync())
    this.#disk.syncDirectorySync(hosted.log.directory)
    this.#disk.syncDirectorySync(this.#directory.path)
    this.#logs.delete(hosted)
  }
}
