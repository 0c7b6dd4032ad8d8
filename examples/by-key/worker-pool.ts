import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

/** Threads that each do one task at a time. */
export class WorkerPool implements AsyncDisposable {
  readonly #workers: Worker[]
  readonly #idle: Worker[]
  readonly #waiting: ((worker: Worker) => void)[] = []

  constructor(size: number, file: URL) {
    this.#workers = Array.from({ length: size }, () => new Worker(file))
    this.#idle = [...this.#workers]
  }

  /** What a worker answers to `task`. @throws what it threw. */
  async run(task: unknown): Promise<unknown> {
    const worker = this.#idle.pop() ?? (await new Promise<Worker>((resolve) => this.#waiting.push(resolve)))
    try {
      worker.postMessage(task)
      const [answer] = (await once(worker, 'message')) as [unknown]
      return answer
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#idle.push(worker)
      else next(worker)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()))
  }
}
