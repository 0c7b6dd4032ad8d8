/** The broker under test, from sources, in a process of its own. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { RawClient } from '@millrace/broker/testing'

const root = join(import.meta.dirname, '..', '..')

export class BrokerProcess {
  readonly port: number
  readonly #child: ChildProcess
  readonly #output: string[]

  private constructor(port: number, child: ChildProcess, output: string[]) {
    this.port = port
    this.#child = child
    this.#output = output
  }

  /** Resolves when it accepts connections. `properties` are further settings. */
  static async start(dataDirectory: string, properties: readonly string[] = []): Promise<BrokerProcess> {
    const port = await freePort()
    const overrides = [`listeners=PLAINTEXT://127.0.0.1:${port}`, `log.dirs=${dataDirectory}`, ...properties]
    const child = spawn(
      process.execPath,
      [
        '--conditions=source',
        join(root, 'packages/millrace/src/command.ts'),
        'start',
        ...overrides.flatMap((override) => ['--override', override]),
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    )
    const output: string[] = []
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        output.push(chunk.toString())
        if (output.length > 200) output.shift()
      })
    const broker = new BrokerProcess(port, child, output)
    for (let attempt = 0; ; attempt++) {
      try {
        const client = await RawClient.open(port)
        client.close()
        return broker
      } catch (error) {
        if (child.exitCode !== null || attempt > 200)
          throw new Error(`the broker did not start:\n${output.join('')}`, { cause: error })
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    }
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** The last lines it printed. */
  get output(): string {
    return this.#output.join('').slice(-8000)
  }

  /** Resident memory now, in bytes; 0 where the system does not tell. */
  get residentBytes(): number {
    try {
      const status = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8')
      return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024
    } catch {
      return 0
    }
  }

  /** Stops it with SIGTERM; the exit code, or the signal that ended it. */
  async stop(): Promise<number | string> {
    if (this.isRunning) {
      this.#child.kill('SIGTERM')
      await once(this.#child, 'exit')
    }
    return this.#child.exitCode ?? this.#child.signalCode ?? 'unknown'
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}
