// kcat, the command-line tool, behind the same calls as the client programs. From the distribution's package.
import { run, runToSuccess, tail } from '../command.ts'
import type { Header } from '../corpus.ts'
import { exactReader, type ReadRecord } from '../expect.ts'
import { anyRecord, codecs, type Codec, type ForeignClient, type Process } from './foreign-client.ts'
import { KcatMember } from './kcat-member.ts'

async function prepare(): Promise<void> {
  try {
    await runToSuccess('kcat', ['-V'])
  } catch {
    await runToSuccess('apt-get', ['update', '-qq'], { timeoutMs: 300_000 })
    await runToSuccess('apt-get', ['install', '-y', '-qq', 'kcat'], { timeoutMs: 300_000 })
  }
}

interface WrittenRecord {
  readonly key: string
  readonly value: string
  readonly headers: readonly { readonly name: string; readonly value: string }[]
}

/** Tab between key and value, one record a line, the first record's headers for all. */
async function produce(
  bootstrap: string,
  job: { topic: string; partition: number; codec: Codec; mode?: string; records: WrittenRecord[] },
) {
  const text = (encoded: string) => Buffer.from(encoded, 'base64').toString()
  const input = job.records.map(({ key, value }) => `${text(key)}\t${text(value)}\n`).join('')
  const headers = job.records[0]!.headers.flatMap(({ name, value }) => ['-H', `${name}=${text(value)}`])
  const options = ['-z', job.codec, '-X', `acks=${job.mode === 'acks1' ? 1 : 'all'}`]
  if (job.mode === 'idempotent') options.push('-X', 'enable.idempotence=true')
  const where = ['-b', bootstrap, '-t', job.topic, '-p', String(job.partition)]
  await runToSuccess('kcat', ['-P', '-K', '\t', ...where, ...headers, ...options], { input })
  return { offsets: null }
}

const recordEnd = '\n~~\n'
/** Lengths first, so that any bytes can be told apart. */
const recordFormat = `%o %T %K %S %k%s%h${recordEnd}`

async function consume(
  bootstrap: string,
  job: { topic: string; partition: number; offset: number; count: number; timeoutMs: number; mode?: string },
) {
  const from = { '-2': 'beginning', '-1': 'end' }[String(job.offset)] ?? String(job.offset)
  const where = ['-b', bootstrap, '-t', job.topic, '-p', String(job.partition), '-o', from, '-c', String(job.count)]
  const args = ['-C', '-q', '-e', '-X', 'check.crcs=true', '-X', 'fetch.wait.max.ms=50', '-f', recordFormat, ...where]
  // Its own default is read_committed.
  args.push('-X', `isolation.level=${job.mode === 'read_committed' ? 'read_committed' : 'read_uncommitted'}`)
  const { code, stdout, stderr } = await run('kcat', args, { timeoutMs: job.timeoutMs })
  if (code !== 0) throw new Error(`kcat ended with ${code}: ${tail(stderr)}`)
  const encode = (bytes: Buffer | null) => bytes?.toString('base64') ?? null
  const records = parseRecords(stdout).map((record) => ({
    ...record,
    key: encode(record.key),
    value: encode(record.value),
    headers: record.headers.map(({ name, value }) => ({ name, value: encode(value) })),
  }))
  return { records }
}

/** Output in `recordFormat`. A length of -1 is null. */
export function parseRecords(output: Buffer): ReadRecord[] {
  const records: ReadRecord[] = []
  let position = 0
  while (position < output.length) {
    const numbers: number[] = []
    while (numbers.length < 4) {
      const space = output.indexOf(' ', position)
      numbers.push(Number(output.toString('latin1', position, space)))
      position = space + 1
    }
    const [offset, timestamp, keyLength, valueLength] = numbers as [number, number, number, number]
    const take = (length: number) => {
      const bytes = length < 0 ? null : output.subarray(position, position + length)
      position += Math.max(length, 0)
      return bytes
    }
    const key = take(keyLength)
    const value = take(valueLength)
    const end = output.indexOf(recordEnd, position)
    records.push({ offset, timestamp, key, value, headers: parseHeaders(output.subarray(position, end)) })
    position = end + recordEnd.length
  }
  return records
}

/** `name=value,name=value`; values with a comma are not in the corpus. */
function parseHeaders(text: Buffer): Header[] {
  if (text.length === 0) return []
  return text
    .toString('latin1')
    .split(',')
    .map((pair) => {
      const equals = pair.indexOf('=')
      const value = pair.slice(equals + 1)
      const name = Buffer.from(pair.slice(0, equals), 'latin1').toString()
      return { name, value: value === 'NULL' ? null : Buffer.from(value, 'latin1') }
    })
}

class KcatSession implements Process {
  readonly #bootstrap: string
  #member: KcatMember | null = null

  constructor(bootstrap: string) {
    this.#bootstrap = bootstrap
  }

  async call(op: string, fields: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    switch (op) {
      case 'produce':
        return produce(this.#bootstrap, fields as unknown as Parameters<typeof produce>[1])
      case 'consume':
        return consume(this.#bootstrap, fields as unknown as Parameters<typeof consume>[1])
      case 'join':
        this.#member = new KcatMember(this.#bootstrap, fields as unknown as ConstructorParameters<typeof KcatMember>[1])
        return null
      case 'poll':
        return this.#member!.poll(fields['timeoutMs'] as number)
      case 'commit': // it commits on its own
        return null
      case 'leave':
        return this.#member!.leave()
      default:
        throw new Error(`operation ${op} is not in kcat`)
    }
  }

  async kill(): Promise<void> {
    await this.#member?.kill()
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

export const kcat: ForeignClient = {
  name: 'kcat',
  version: '1.7.1',
  prepare,
  open: (bootstrap) => new KcatSession(bootstrap),
  operations: [],
  writes: { codecs, modes: ['acks1', 'idempotent'], records: 'lines', limits: anyRecord },
  reads: { codecs, modes: ['read_committed'], limits: { ...exactReader, headersEndAtZero: true } },
  groups: {
    memberships: [{ protocol: 'classic', assignor: 'range' }],
    commits: ['auto'],
    metadata: 'none',
    autoCommits: true,
    isStatic: true,
  },
  transactions: null,
}
