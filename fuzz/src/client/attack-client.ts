/**
 * A client whose broker is hostile: a proxy between them damages the answers of a real one. In each round clients of all kinds do what they do; all
 * must be over in time, with results or with errors of ours, in bounded memory. Then the proxy is harmless, and new clients must succeed.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CreateTopics } from '@millrace/protocol'
import { RawClient } from '@millrace/broker/testing'
import { BrokerProcess } from '../broker-process.ts'
import { dice } from '../mutate.ts'
import { harmless, HostileProxy } from './hostile-proxy.ts'
import type { RoundOrder, RoundReport } from './messages.ts'
import { cutAfter, mischiefs } from './mischiefs.ts'
import { topic } from './workload.ts'

const maxResidentBytes = 450 * 1024 * 1024
/** A round's own deadlines are far below. */
const silenceMs = 60_000
const roundsBetweenPeace = 10
/** The answers to ApiVersions and Metadata, with which a connection begins, are no longer. */
const bytesToCutAt = 1200

export interface Outcome {
  readonly passed: number
  readonly failed: number
}

export async function attackClient(
  rounds: number,
  seed: number,
  { tellsEndings }: { readonly tellsEndings: boolean },
): Promise<Outcome> {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-fuzz-client-'))
  await using proxy = await HostileProxy.start()
  const broker = await BrokerProcess.start(directory, [
    `advertised.listeners=PLAINTEXT://127.0.0.1:${proxy.port}`,
    'group.initial.rebalance.delay.ms=0',
  ])
  proxy.brokerPort = broker.port
  const victim = new Victim()
  const endings = new Map<string, number>()
  const outcome = { passed: 0, failed: 0 }
  const count = (name: string, report: RoundReport) => {
    for (const [ending, times] of Object.entries(report.endings))
      endings.set(ending, (endings.get(ending) ?? 0) + times)
    const grown =
      report.residentBytes > maxResidentBytes
        ? [`it has grown to ${Math.round(report.residentBytes / 2 ** 20)} MiB`]
        : []
    const bugs = [...report.bugs, ...grown]
    if (bugs.length === 0) outcome.passed++
    else {
      outcome.failed++
      for (const bug of bugs.slice(0, 5)) console.error(`round ${report.round}, ${name}: ${bug}`)
    }
  }
  try {
    await createTopic(broker.port)
    const neighbourhood = { port: proxy.port, deadPort: await deadPort() }
    const bootstrap = `127.0.0.1:${proxy.port}`
    const makers = Object.entries(mischiefs)
    count('before all', await victim.obey({ round: 0, bootstrap, work: 'everything', isPeaceful: true }))
    for (let round = 1; round <= rounds; round++) {
      const [name, make] = makers[(round - 1) % makers.length]!
      proxy.mischief = make(dice(seed + round), neighbourhood)
      count(name, await victim.obey({ round, bootstrap, work: 'everything', isPeaceful: false }))
      proxy.mischief = harmless
      proxy.cut()
      if (round % roundsBetweenPeace === 0)
        count('peace after', await victim.obey({ round, bootstrap, work: 'everything', isPeaceful: true }))
    }
    for (let bytes = 0; bytes <= bytesToCutAt; bytes++) {
      proxy.mischief = cutAfter(bytes)
      count(
        `cut after ${bytes} bytes`,
        await victim.obey({ round: bytes, bootstrap, work: 'little', isPeaceful: true }),
      )
      proxy.cut()
    }
    await victim.end()
  } catch (error) {
    outcome.failed++
    console.error(error)
  } finally {
    victim.kill()
    broker.kill()
    rmSync(directory, { recursive: true, force: true })
  }
  if (!tellsEndings) return outcome
  for (const [ending, times] of [...endings].toSorted(([one], [other]) => (one < other ? -1 : 1)))
    console.log(`${String(times).padStart(6)}  ${ending}`)
  return outcome
}

class Victim {
  readonly #child: ChildProcess
  #errorOutput = ''

  constructor() {
    this.#child = fork(join(import.meta.dirname, 'victim.ts'), {
      execArgv: ['--conditions=source'],
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    })
    this.#child.stderr!.on('data', (chunk: Buffer) => {
      this.#errorOutput = (this.#errorOutput + chunk.toString()).slice(-4000)
    })
  }

  /** @throws Error when it dies, as it does of an unhandled rejection, or says nothing. */
  async obey(order: RoundOrder): Promise<RoundReport> {
    const over = new AbortController()
    const signal = AbortSignal.any([over.signal, AbortSignal.timeout(silenceMs)])
    const answered = once(this.#child, 'message', { signal }).then(([report]) => report as RoundReport)
    const died = once(this.#child, 'exit', { signal }).then(([code, by]) => {
      throw new Error(`round ${order.round}: the client's process ended with ${code ?? by}:\n${this.#errorOutput}`)
    })
    this.#child.send(order)
    try {
      const report = await Promise.race([answered, died])
      if (this.#errorOutput !== '')
        throw new Error(`round ${order.round}: the client's process says ${this.#errorOutput}`)
      return report
    } finally {
      over.abort()
      await Promise.allSettled([answered, died])
    }
  }

  /** Nothing may be left that keeps it alive. */
  async end(): Promise<void> {
    this.#child.disconnect()
    if (this.#child.exitCode === null) await once(this.#child, 'exit', { signal: AbortSignal.timeout(10_000) })
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }
}

async function createTopic(port: number): Promise<void> {
  const client = await RawClient.open(port)
  await client.ask(CreateTopics, 5, {
    timeoutMs: 5000,
    topics: [{ name: topic, numPartitions: 3, replicationFactor: 1, assignments: [], configs: [] }],
  })
  client.close()
}

/** A port that nobody listens on. */
async function deadPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}
