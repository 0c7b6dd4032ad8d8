/** A copier's process, started again whenever it ends. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Copier, CopyJob } from './copiers/copier.ts'

/** After a failure: a client that cannot do its work must not take the processor from those that can. */
const restartAfterFailureMs = 2000
/** The Java copier ends when its partitions are copied. It is to take over others', but not to rebalance the group all the time. */
const restartAfterEndMs = 12_000
const keptErrorChars = 2000
const stopTimeoutMs = 10_000

export class SupervisedCopier {
  readonly name: string
  readonly #command: ReturnType<Copier['command']>
  #child: ChildProcess | null = null
  #restartTimer: NodeJS.Timeout | null = null
  #stopping = false
  #copiedBefore = 0
  #copied = 0
  #errors = ''
  /** Ends with a failure. */
  failures = 0

  constructor(copier: Copier, job: CopyJob) {
    this.name = copier.name
    this.#command = copier.command(job)
  }

  /** Records that it has said to have copied. What it committed without living to tell is missing. */
  get copied(): number {
    return this.#copiedBefore + this.#copied
  }

  get lastErrors(): string {
    return this.#errors.trim()
  }

  start(): void {
    const { file, args } = this.#command
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child = child
    const dieWithUs = () => child.kill('SIGKILL')
    process.once('exit', dieWithUs)
    child.on('error', (error) => this.#noteError(String(error)))
    child.stderr.on('data', (chunk: Buffer) => this.#noteError(chunk.toString()))
    createInterface({ input: child.stdout }).on('line', (line) => {
      const total = /"totalProcessed":(\d+)/.exec(line)?.[1]
      if (total !== undefined) this.#copied = Number(total)
    })
    child.once('close', (code, signal) => {
      process.off('exit', dieWithUs)
      this.#child = null
      this.#copiedBefore += this.#copied
      this.#copied = 0
      if (signal === 'SIGKILL' || this.#stopping) return
      if (code !== 0) this.failures++
      this.#startLater(code === 0 ? restartAfterEndMs : restartAfterFailureMs)
    })
  }

  /** SIGKILL, and a start `downMs` later. */
  async killAndRestart(downMs: number): Promise<void> {
    if (this.#restartTimer !== null) return // it is down already
    await this.#end('SIGKILL')
    this.#startLater(downMs)
  }

  async stop(): Promise<void> {
    this.#stopping = true
    if (this.#restartTimer !== null) clearTimeout(this.#restartTimer)
    const timer = setTimeout(() => this.#child?.kill('SIGKILL'), stopTimeoutMs)
    await this.#end('SIGTERM')
    clearTimeout(timer)
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child
    if (child === null) return
    const closed = once(child, 'close')
    child.kill(signal)
    await closed
  }

  #startLater(ms: number): void {
    this.#restartTimer = setTimeout(() => {
      this.#restartTimer = null
      if (!this.#stopping) this.start()
    }, ms)
  }

  #noteError(text: string): void {
    this.#errors = (this.#errors + text).slice(-keptErrorChars)
  }
}
