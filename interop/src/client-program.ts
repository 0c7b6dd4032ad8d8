// A client program under interop/clients: one JSON job a line in, one JSON answer a line out.
import { spawn, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'

const jobTimeoutMs = 45_000

/** What a client said when an operation failed. */
export class ClientError extends Error {
  /** Kafka's error code, or null when the client gave none. */
  readonly code: number | null
  constructor(message: string, code: number | null) {
    super(message)
    this.code = code
  }
}

export interface ProgramCommand {
  readonly file: string
  readonly args: readonly string[]
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
}

interface Answer {
  ok: boolean
  result?: unknown
  error?: string
  code?: number | null
}

/** Jobs are answered in order, one at a time; calls meanwhile wait. */
export class ClientProgram implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #ended: Promise<void>
  #waiting: ((answer: Answer) => void) | null = null
  #errorOutput = ''
  #lastCall: Promise<unknown> = Promise.resolve()

  constructor(command: ProgramCommand) {
    const env = { ...process.env, ...command.env }
    this.#child = spawn(command.file, command.args, { cwd: command.cwd, env, stdio: ['pipe', 'pipe', 'pipe'] })
    this.#child.stderr!.on('data', (chunk: Buffer) => {
      this.#errorOutput = (this.#errorOutput + chunk.toString()).slice(-1000)
    })
    this.#child.stdin!.on('error', () => {})
    createInterface({ input: this.#child.stdout! }).on('line', (line) => this.#take(line))
    this.#ended = new Promise((resolve) => {
      const end = () => {
        this.#answer({ ok: false, error: `the program ended: ${this.#errorOutput.trim()}` })
        resolve()
      }
      this.#child.once('error', end)
      this.#child.once('exit', end)
    })
  }

  /** Runs one operation. @throws ClientError when the client failed or did not answer in time. */
  call(op: string, fields: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    const call = this.#lastCall.then(() => this.#send(op, fields))
    this.#lastCall = call.catch(() => {})
    return call
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#ended
  }

  #send(op: string, fields: Readonly<Record<string, unknown>>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => this.#answer({ ok: false, error: `${op} took over ${jobTimeoutMs} ms` }),
        jobTimeoutMs,
      )
      this.#waiting = (answer) => {
        clearTimeout(timer)
        if (answer.ok) resolve(answer.result)
        else reject(new ClientError(answer.error ?? 'no reason given', answer.code ?? null))
      }
      if (this.#child.exitCode !== null || this.#child.signalCode !== null)
        this.#answer({ ok: false, error: `the program ended: ${this.#errorOutput.trim()}` })
      else this.#child.stdin!.write(`${JSON.stringify({ op, ...fields })}\n`)
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin!.end()
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 3000)
    await this.#ended
    clearTimeout(timer)
  }

  /** Lines that are not JSON are what the client prints on its own. */
  #take(line: string): void {
    if (!line.startsWith('{')) this.#errorOutput = `${this.#errorOutput}${line}\n`.slice(-1000)
    else this.#answer(JSON.parse(line) as Answer)
  }

  #answer(answer: Answer): void {
    const waiting = this.#waiting
    this.#waiting = null
    waiting?.(answer)
  }
}
