// The same small program around each JavaScript client: `node <client>.ts '<job as JSON>'` prints a report as JSON.
import { arrayBytes, arraysInFlight, concurrentSends, type Job, type Report } from '../job.ts'

export interface TestedProducer {
  /** Resolves when all are acknowledged by all replicas. */
  sendArray(values: readonly Buffer[]): Promise<unknown>
  send(value: Buffer): Promise<unknown>
  close(): Promise<unknown>
}

export interface TestedClient {
  producer(job: Job): Promise<TestedProducer>
  /** Gives each value to `take` until that returns false. */
  consume(job: Job, take: (value: Uint8Array) => boolean): Promise<void>
}

/** Between `begin` and `end`. */
class Meter {
  #cpu = process.cpuUsage()
  #startedAtMs = 0
  #report: Report | null = null

  begin(): void {
    this.#cpu = process.cpuUsage()
    this.#startedAtMs = performance.now()
  }

  end(records: number): void {
    const { user, system } = process.cpuUsage(this.#cpu)
    this.#report = {
      records,
      seconds: (performance.now() - this.#startedAtMs) / 1000,
      cpuSeconds: (user + system) / 1e6,
      peakBytes: process.resourceUsage().maxRSS * 1024,
    }
  }

  get report(): Report {
    if (this.#report === null) throw new Error('nothing was measured')
    return this.#report
  }
}

const words = ['kafka', 'client', 'record', 'batch', 'offset', 'segment', 'leader', 'epoch']

function valuesOf(count: number, bytes: number): Buffer[] {
  return Array.from({ length: count }, (_, index) => {
    let text = ''
    for (let at = 0; text.length < bytes; at++) text += `${words[(index + at * 7919) % 8]}${(index + at) % 97} `
    return Buffer.from(text.slice(0, bytes))
  })
}

/** Several loops at a time, each awaiting what it sends, until the time is over. */
async function produce(job: Job, producer: TestedProducer, meter: Meter): Promise<void> {
  const isArrays = job.kind === 'arrays'
  const values = valuesOf(isArrays ? Math.ceil(arrayBytes / job.valueBytes) : 64, job.valueBytes)
  const loops = { arrays: arraysInFlight, concurrent: concurrentSends, singles: 1, consume: 0 }[job.kind]
  let sent = 0
  const sendFor = async (durationMs: number) => {
    const endAtMs = performance.now() + durationMs
    const loop = async (index: number) => {
      for (let at = index; performance.now() < endAtMs; at++) {
        if (isArrays) await producer.sendArray(values)
        else await producer.send(values[at % 64]!)
        sent += isArrays ? values.length : 1
      }
    }
    await Promise.all(Array.from({ length: loops }, (_, index) => loop(index)))
  }
  await sendFor(job.warmUpMs)
  sent = 0
  meter.begin()
  await sendFor(job.measuredMs)
  meter.end(sent)
}

/** So often a consumer looks at the clock. */
const recordsPerLook = 1024

async function consume(job: Job, client: TestedClient, meter: Meter): Promise<void> {
  const { warmUpRecords, measuredRecords, measuredMs, valueBytes } = job
  const last = warmUpRecords + measuredRecords
  let taken = 0
  let bytes = 0
  let endAtMs = Infinity
  await client.consume(job, (value) => {
    if (taken >= last) return false
    bytes += value.length
    taken++
    if (taken === warmUpRecords) {
      meter.begin()
      endAtMs = performance.now() + measuredMs
    }
    const isLate = taken % recordsPerLook === 0 && performance.now() >= endAtMs
    if (taken < last && !isLate) return true
    meter.end(taken - warmUpRecords)
    if (bytes !== taken * valueBytes)
      throw new Error(`${bytes} bytes in ${taken} values, expected ${valueBytes} in each`)
    taken = last
    return false
  })
}

export async function runProgram(client: TestedClient): Promise<never> {
  const job = JSON.parse(process.argv[2]!) as Job
  const meter = new Meter()
  if (job.kind === 'consume') await consume(job, client, meter)
  else {
    const producer = await client.producer(job)
    await produce(job, producer, meter)
    await producer.close()
  }
  process.stdout.write(`${JSON.stringify(meter.report)}\n`, () => process.exit(0))
  return new Promise(() => {})
}
