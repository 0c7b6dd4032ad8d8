// Running a program to its end.
import { spawn } from 'node:child_process'

export interface CommandOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  readonly input?: string | Uint8Array
  /** The program is killed and the call fails after this long. */
  readonly timeoutMs?: number
  /** Told the process's id when it has started. */
  readonly onStart?: (pid: number) => void
}

export interface Finished {
  /** Exit code; -1 when a signal ended it. */
  readonly code: number
  readonly stdout: Buffer
  readonly stderr: Buffer
}

const defaultTimeoutMs = 60_000

/** Runs `file` and gives its output whatever its exit code. @throws Error when it cannot start or takes too long. */
export function run(file: string, args: readonly string[], options: CommandOptions = {}): Promise<Finished> {
  const { timeoutMs = defaultTimeoutMs } = options
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    if (child.pid !== undefined) options.onStart?.(child.pid)
    const stdout: Buffer[] = []
    const stderr: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk))
    child.stdin.on('error', () => {}) // a program may end before it has read everything
    child.stdin.end(options.input ?? '')
    const timer = setTimeout(() => {
      child.kill('SIGKILL')
      reject(new Error(`${file} did not end within ${timeoutMs} ms: ${tail(Buffer.concat([...stdout, ...stderr]))}`))
    }, timeoutMs)
    child.on('error', (error) => {
      clearTimeout(timer)
      reject(new Error(`${file} could not be started`, { cause: error }))
    })
    child.on('close', (code) => {
      clearTimeout(timer)
      resolve({ code: code ?? -1, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr) })
    })
  })
}

/** Like `run`, for programs that must succeed. Returns standard output as text. */
export async function runToSuccess(
  file: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const { code, stdout, stderr } = await run(file, args, options)
  if (code !== 0) throw new Error(`${file} ended with ${code}: ${tail(Buffer.concat([stdout, stderr]))}`)
  return stdout.toString()
}

/** Ctrl-C and SIGTERM end this process the ordinary way, so that what was started and made is cleared away. */
export function exitOnSignals(): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
}

/** The end of a program's output, short enough for an error message. */
export function tail(output: Buffer | string): string {
  const text = output.toString().trim()
  return text.length > 600 ? `…${text.slice(-600)}` : text
}
