/** The files of a segment: where they are and what they are called. The suffix tells a segment's state. */
import type { Disk } from '@millrace/runtime'
import type { FilePool, PooledFile } from '../file-pool.ts'
import { segmentFileName, type SegmentFileKind, type SegmentFileState } from '../formats/segment-file-name.ts'

export interface SegmentFilesOptions {
  readonly services: { readonly disk: Disk; readonly files: FilePool }
  readonly directory: string
  readonly baseOffset: bigint
  readonly state: SegmentFileState
  readonly exists: boolean
}

const kinds: readonly SegmentFileKind[] = ['log', 'index', 'timeindex', 'txnindex']

export class SegmentFiles {
  /** Whether the log file is on disk; the first bytes create it. */
  exists: boolean
  readonly #disk: Disk
  readonly #pool: FilePool
  readonly #baseOffset: bigint
  #directory: string
  #state: SegmentFileState
  #log: PooledFile | null = null

  constructor({ services, directory, baseOffset, state, exists }: SegmentFilesOptions) {
    this.#disk = services.disk
    this.#pool = services.files
    this.#directory = directory
    this.#baseOffset = baseOffset
    this.#state = state
    this.exists = exists
  }

  /** Neither the log nor an index of it can be there. */
  get areNew(): boolean {
    return !this.exists && this.#state === 'live'
  }

  get log(): PooledFile {
    if (this.#log === null) this.#log = this.#pool.file(this.path('log'), 'create')
    return this.#log
  }

  path(kind: SegmentFileKind): string {
    return this.#pathIn(kind, this.#state)
  }

  /** When the log file was last changed; null when it is not there. */
  modifiedMs(): number | null {
    return this.#disk.statusSync(this.path('log'))?.modifiedMs ?? null
  }

  /** 0 when the file is not there. */
  sizeBytes(kind: SegmentFileKind): number {
    return this.#disk.statusSync(this.path(kind))?.sizeBytes ?? 0
  }

  /** Renames all files. */
  changeState(to: SegmentFileState): void {
    for (const kind of kinds) {
      try {
        this.#disk.renameSync(this.path(kind), this.#pathIn(kind, to))
      } catch (error) {
        if ((error as { code?: unknown }).code !== 'ENOENT') throw error
      }
    }
    this.#state = to
    this.#log?.moved(this.path('log'))
  }

  /** The directory was renamed. */
  movedTo(directory: string): void {
    this.#directory = directory
    this.#log?.moved(this.path('log'))
  }

  remove(): void {
    for (const kind of kinds) this.#disk.removeSync(this.path(kind))
  }

  /** Lets go of the descriptor; a later use opens again. */
  close(): void {
    this.#log?.close()
  }

  #pathIn(kind: SegmentFileKind, state: SegmentFileState): string {
    return `${this.#directory}/${segmentFileName(this.#baseOffset, kind, state)}`
  }
}
