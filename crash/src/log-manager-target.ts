/** A child process with nothing but a LogManager in it. */
import { fork, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import {
  cleaningPattern,
  recoveryPattern,
  TargetGoneError,
  type CrashPartition,
  type CrashTarget,
  type StoredRecord,
} from './crash-target.ts'
import type { Reply, Request } from './log-manager-child.ts'

interface Waiter {
  readonly resolve: (reply: Reply) => void
  readonly reject: (error: Error) => void
}

export class LogManagerTarget implements CrashTarget {
  readonly #directory: string
  #child: ChildProcess | null = null
  #exited: Promise<void> = Promise.resolve()
  #nextId = 1
  readonly #waiting = new Map<number, Waiter>()
  #lines: string[] = []

  constructor(directory: string) {
    this.#directory = directory
  }

  async start(): Promise<void> {
    this.#lines = []
    const child = fork(new URL('./log-manager-child.ts', import.meta.url), [this.#directory], {
      execArgv: ['--conditions=source'],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    this.#child = child
    createInterface({ input: child.stderr! }).on('line', (line) => this.#lines.push(line))
    child.on('message', (message) => {
      const reply = message as Reply
      const waiter = this.#waiting.get(reply.id)
      this.#waiting.delete(reply.id)
      if (reply.error !== undefined) waiter?.reject(new Error(reply.error))
      else waiter?.resolve(reply)
    })
    this.#exited = new Promise((resolve) =>
      child.on('close', (code, signal) => {
        for (const { reject } of this.#waiting.values())
          reject(new TargetGoneError(`the process ended (${signal ?? code}):\n${this.#lines.slice(-20).join('\n')}`))
        this.#waiting.clear()
        this.#child = null
        resolve()
      }),
    )
    // The child answers request 0 by itself when it has opened its logs.
    await this.#reply(0)
  }

  async append(partition: CrashPartition, values: readonly string[]): Promise<bigint> {
    const { offset } = await this.#request({ kind: 'append', ...partition, values })
    return offset!
  }

  async read(partition: CrashPartition, offset: bigint): Promise<StoredRecord[]> {
    const { records } = await this.#request({ kind: 'read', ...partition, offset })
    return records!
  }

  #request(request: Omit<Extract<Request, { kind: 'append' }>, 'id'> | Omit<Extract<Request, { kind: 'read' }>, 'id'>) {
    const id = this.#nextId++
    const reply = this.#reply(id)
    this.#child?.send({ ...request, id })
    return reply
  }

  #reply(id: number): Promise<Reply> {
    if (this.#child === null) return Promise.reject(new TargetGoneError('the process is gone'))
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }))
  }

  async kill(): Promise<void> {
    this.#child?.kill('SIGKILL')
    await this.#exited
  }

  async stop(): Promise<void> {
    this.#child?.kill('SIGTERM')
    await this.#exited
  }

  recoveryLines(): readonly string[] {
    return this.#lines.filter((line) => recoveryPattern.test(line))
  }

  cleanings(): number {
    return this.#lines.filter((line) => cleaningPattern.test(line)).length
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
  }
}
