/**
 * Compression in a thread beside the event loop, for work above 64 KiB: a large gzip batch takes milliseconds in which nobody
 * else would be served. One thread, started at the first job; it does not keep the process alive when it has nothing to do.
 *
 * The thread's code is the file `codec-thread` beside this one, with the same extension: `.ts` when running from sources, `.js`
 * from a build. A bundler has to emit `codec-thread.js` as a second entry beside the bundle this file ends up in. When the file
 * is missing, or the thread cannot start for another reason, jobs are done at once in the calling thread and `onTrouble` is told.
 */
import type { Worker } from 'node:worker_threads'
import { restoreError, runCodecJob, type CodecJob, type CodecResult } from './codec-job.ts'

/** Below this the hand-over (20-40 µs and a copy) is not worth it. */
export const CODEC_WORKER_FROM_BYTES = 64 * 1024

/** Jobs copied and handed over at a time; the others wait here with references to the caller's bytes. */
const mostInThread = 4
/** After so many threads that did not come up no more are started. */
const mostDeaths = 2

export interface CodecWorkerOptions {
  /** Told when the thread died or could not start, for the log. */
  readonly onTrouble?: (error: Error) => void
  /** Where the thread's code is, when it is not beside this file. */
  readonly entry?: URL
}

interface Task {
  readonly job: CodecJob
  readonly resolve: (bytes: Uint8Array) => void
  readonly reject: (error: Error) => void
}

/** Invariants: every task is in exactly one of `#waiting` and `#inThread`; the thread is referenced only while one is in it. */
export class CodecWorker {
  readonly #options: CodecWorkerOptions
  readonly #waiting: Task[] = []
  readonly #inThread = new Map<number, Task>()
  #thread: Worker | null = null
  #nextId = 0
  #isUp = false
  #deaths = 0
  #isDisposed = false

  constructor(options: CodecWorkerOptions = {}) {
    this.#options = options
  }

  /** As the function of this name. `bytes` must stay untouched until the promise settles. */
  compress(codec: number, bytes: Uint8Array, level?: number, magic = 2): Promise<Uint8Array> {
    return this.#run({ kind: 'compress', codec, bytes, level, magic, maxBytes: 0 })
  }

  /** As the function of this name. `bytes` must stay untouched until the promise settles. */
  decompress(codec: number, bytes: Uint8Array, maxBytes: number, magic = 2): Promise<Uint8Array> {
    return this.#run({ kind: 'decompress', codec, bytes, maxBytes, magic, level: undefined })
  }

  /** Ends the thread; jobs under way are rejected. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isDisposed = true
    const thread = this.#thread
    this.#thread = null
    this.#rejectAll(new Error('the codec worker was closed'))
    await thread?.terminate()
  }

  #run(job: Omit<CodecJob, 'id'>): Promise<Uint8Array> {
    if (this.#isDisposed) return Promise.reject(new Error('the codec worker is closed'))
    return new Promise((resolve, reject) => {
      this.#waiting.push({ job: { ...job, id: this.#nextId++ }, resolve, reject })
      this.#handOver()
    })
  }

  #handOver(): void {
    while (this.#waiting.length > 0 && this.#inThread.size < mostInThread) {
      const thread = this.#deaths < mostDeaths ? (this.#thread ??= this.#start()) : null
      const task = this.#waiting.shift()!
      if (thread === null) {
        runHere(task)
        continue
      }
      // A copy in memory of its own: the caller's is part of a frame or a pool, and cloning a view would clone all of that.
      const bytes = new Uint8Array(task.job.bytes)
      if (this.#inThread.size === 0) thread.ref()
      this.#inThread.set(task.job.id, task)
      thread.postMessage({ ...task.job, bytes } satisfies CodecJob, [bytes.buffer])
    }
  }

  #start(): Worker | null {
    const file = import.meta.url.endsWith('.ts') ? './codec-thread.ts' : './codec-thread.js'
    // Loaded here, as most processes never need it.
    const workerThreads = process.getBuiltinModule('node:worker_threads')
    let thread: Worker
    try {
      thread = new workerThreads.Worker(this.#options.entry ?? new URL(file, import.meta.url), { name: 'codecs' })
    } catch (error) {
      this.#deaths = mostDeaths
      this.#options.onTrouble?.(error as Error)
      return null
    }
    thread.unref()
    this.#isUp = false
    thread.on('message', (result: CodecResult) => this.#finish(thread, result))
    thread.on('error', (error: Error) => this.#bury(thread, error))
    thread.on('exit', (code) => this.#bury(thread, new Error(`the codec thread exited with code ${code}`)))
    return thread
  }

  #finish(thread: Worker, { id, bytes, error }: CodecResult): void {
    if (thread !== this.#thread) return
    this.#isUp = true
    const task = this.#inThread.get(id)
    if (task === undefined) return
    this.#inThread.delete(id)
    if (this.#inThread.size === 0) thread.unref()
    if (bytes !== undefined) task.resolve(bytes)
    else if (error !== undefined) task.reject(restoreError(error))
    this.#handOver()
  }

  /**
   * A thread that was up when it died was killed by its oldest job, which fails; the others go to a new thread. A thread that never
   * came up is nobody's fault: after some attempts jobs are done here.
   */
  #bury(thread: Worker, error: Error): void {
    if (thread !== this.#thread) return
    this.#thread = null
    this.#options.onTrouble?.(error)
    const tasks = [...this.#inThread.values()]
    this.#inThread.clear()
    if (this.#isUp) tasks.shift()?.reject(new Error('the codec thread died over this job', { cause: error }))
    else this.#deaths++
    this.#waiting.unshift(...tasks)
    this.#handOver()
  }

  #rejectAll(error: Error): void {
    const tasks = [...this.#inThread.values(), ...this.#waiting.splice(0)]
    this.#inThread.clear()
    for (const { reject } of tasks) reject(error)
  }
}

function runHere({ job, resolve, reject }: Task): void {
  try {
    resolve(runCodecJob(job))
  } catch (error) {
    reject(error as Error)
  }
}
