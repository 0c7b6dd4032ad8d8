/**
 * A cleaner's work in a thread of its own, beside the event loop.
 *
 * The thread's code is the file `cleaner-thread` beside this one, with the same extension: `.ts` when running from sources, `.js` from a build. A
 * bundler has to emit `cleaner-thread.js` as an entry beside the bundle this file ends up in. The thread does not keep the process alive
 * when it has nothing to do. To stop a job the thread is ended; what it was writing is removed by who stopped it.
 */
import type { Worker } from 'node:worker_threads'
import { CleaningStoppedError, type CleanerHand, type CleanerHandOptions } from './cleaner-hand.ts'
import type { GroupJob, GroupResult, MapJob, MapResult } from './cleaning-jobs.ts'
import { errorOf, type FromCleaner, type ToCleaner } from './thread-messages.ts'

/** The thread did not come up: there is no use in trying again. */
export class NoThreadError extends Error {
  override readonly name = 'NoThreadError'
}

interface Waiter {
  readonly resolve: (result: MapResult | GroupResult) => void
  readonly reject: (error: Error) => void
}

export interface ThreadHandOptions extends CleanerHandOptions {
  readonly isThrottled: () => boolean
  /** Where the thread's code is, when it is not beside this file. */
  readonly entry?: URL
}

/** Invariant: while `#waiter` is set a job is in the thread, and the thread keeps the process alive. */
export class ThreadHand implements CleanerHand {
  readonly #options: ThreadHandOptions
  readonly #stop = new AbortController()
  #thread: Worker | null = null
  #waiter: Waiter | null = null
  #isUp = false

  constructor(options: ThreadHandOptions) {
    this.#options = options
  }

  buildMap(job: MapJob): Promise<MapResult> {
    return this.#run({ kind: 'map', job, isThrottled: this.#options.isThrottled() }) as Promise<MapResult>
  }

  cleanGroup(job: GroupJob): Promise<GroupResult> {
    return this.#run({ kind: 'group', job, isThrottled: this.#options.isThrottled() }) as Promise<GroupResult>
  }

  #run(message: ToCleaner): Promise<MapResult | GroupResult> {
    if (this.#stop.signal.aborted) return Promise.reject(this.#stop.signal.reason as Error)
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject }
      try {
        this.#thread ??= this.#start()
      } catch (error) {
        return this.#fail(new NoThreadError('the thread of the log cleaner cannot be started', { cause: error }))
      }
      this.#thread.ref()
      this.#thread.postMessage(message)
    })
  }

  #start(): Worker {
    const file = import.meta.url.endsWith('.ts') ? './cleaner-thread.ts' : './cleaner-thread.js'
    // Loaded here, as most processes never need it.
    const workerThreads = process.getBuiltinModule('node:worker_threads')
    const entry = this.#options.entry ?? new URL(file, import.meta.url)
    const thread = new workerThreads.Worker(entry, { name: 'log-cleaner' })
    thread.on('message', (message: FromCleaner) => this.#take(message))
    thread.on('error', (error: Error) => this.#died(error))
    thread.on('exit', (code) => this.#died(new Error(`the thread of the log cleaner exited with code ${code}`)))
    return thread
  }

  #take(message: FromCleaner): void {
    switch (message.kind) {
      case 'up':
        this.#isUp = true
        return
      case 'spent':
        return void this.#pay(message.bytes)
      case 'done': {
        const waiter = this.#settle()
        return waiter?.resolve(message.result)
      }
      case 'failed':
        return this.#fail(errorOf(message.error))
    }
  }

  async #pay(bytes: number): Promise<void> {
    try {
      await this.#options.throttle.spend(bytes, this.#stop.signal)
    } catch {
      // Stopped: `#stop` has told who waits.
      return
    }
    this.#thread?.postMessage({ kind: 'go-on' } satisfies ToCleaner)
  }

  #died(cause: Error): void {
    this.#thread = null
    if (this.#isUp) this.#fail(new Error('the thread of the log cleaner died', { cause }))
    else this.#fail(new NoThreadError('the thread of the log cleaner did not come up', { cause }))
    this.#isUp = false
  }

  #fail(error: Error): void {
    this.#settle()?.reject(error)
  }

  #settle(): Waiter | null {
    const waiter = this.#waiter
    this.#waiter = null
    this.#thread?.unref()
    return waiter
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const reason = new CleaningStoppedError('the cleaner was stopped')
    this.#stop.abort(reason)
    const thread = this.#thread
    this.#thread = null
    thread?.removeAllListeners()
    // Nobody may learn of the end before the thread can write no more.
    await thread?.terminate()
    this.#fail(reason)
  }
}
