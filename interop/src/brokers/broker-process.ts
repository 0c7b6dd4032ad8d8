// A broker's process: its output in a file beside its data, waiting until it answers, ending it.
import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { answersApiVersions } from './api-versions-probe.ts'
import type { RunningBroker } from './broker.ts'

const stopTimeoutMs = 120_000
const probeIntervalMs = 5

export interface ProcessOptions {
  readonly file: string
  readonly args: readonly string[]
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
  readonly port: number
  readonly dataDirectory: string
  /** Whether it is ready to serve. Default: it answers ApiVersions. */
  readonly answers?: (host: string, port: number) => Promise<boolean>
  /** For programs that start the broker as a child (npm): signals go to the whole process group. */
  readonly ownGroup?: boolean
}

export function startProcess(options: ProcessOptions): RunningBroker {
  const { port, dataDirectory, answers = answersApiVersions } = options
  mkdirSync(dataDirectory, { recursive: true })
  const outputFile = `${dataDirectory}.out`
  const output = openSync(outputFile, 'a')
  const startedAtMs = performance.now()
  const child = spawn(options.file, options.args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', output, output],
    detached: options.ownGroup === true,
  })
  closeSync(output)
  const ended = new Promise<void>((resolve) => {
    child.once('error', () => resolve())
    child.once('exit', () => resolve())
  })
  /** Of a group, npm may be gone before the broker is. */
  const allEnded = async () => {
    await ended
    while (options.ownGroup === true && groupExists(child)) await delay(probeIntervalMs)
  }
  const isRunning = () => child.pid !== undefined && child.exitCode === null && child.signalCode === null
  const signal = (name: NodeJS.Signals) => sendSignal(child, name, options.ownGroup === true)
  const lastOutput = () => readFileSync(outputFile, 'utf8').trim().split('\n').slice(-15).join('\n')
  // Whatever ends this program also ends the broker.
  const onExit = () => signal('SIGKILL')
  process.once('exit', onExit)
  void ended.then(() => process.off('exit', onExit))

  return {
    bootstrap: `127.0.0.1:${port}`,
    host: '127.0.0.1',
    port,
    dataDirectory,
    pid: child.pid ?? -1,
    startedAtMs,
    output: lastOutput,
    async ready(timeoutMs = 60_000) {
      const deadline = performance.now() + timeoutMs
      while (!(await answers('127.0.0.1', port))) {
        if (!isRunning()) throw new Error(`the broker ended while starting:\n${lastOutput()}`)
        if (performance.now() > deadline)
          throw new Error(`the broker did not answer in ${timeoutMs} ms:\n${lastOutput()}`)
        await delay(probeIntervalMs)
      }
    },
    async stop() {
      signal('SIGTERM')
      const timer = setTimeout(() => signal('SIGKILL'), stopTimeoutMs)
      await allEnded()
      clearTimeout(timer)
      if (child.signalCode === 'SIGKILL')
        throw new Error(`the broker did not stop in ${stopTimeoutMs} ms:\n${lastOutput()}`)
    },
    async kill() {
      signal('SIGKILL')
      await allEnded()
    },
  }
}

function sendSignal(child: ChildProcess, name: NodeJS.Signals, group: boolean): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  if (!group) child.kill(name)
  else {
    try {
      process.kill(-child.pid, name)
    } catch {
      // the group has ended between the check and the signal
    }
  }
}

function groupExists(leader: ChildProcess): boolean {
  if (leader.pid === undefined) return false
  try {
    return process.kill(-leader.pid, 0)
  } catch {
    return false
  }
}

/** For what is no Kafka broker. */
export function acceptsConnections(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port })
    const finish = (answer: boolean) => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('connect', () => finish(true))
    socket.once('error', () => finish(false))
  })
}
