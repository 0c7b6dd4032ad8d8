/** The command as a process of its own, from the sources. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { countApis } from './testing/probe.ts'
import { version } from './version.ts'

const command = join(import.meta.dirname, 'command.ts')
const scratch = mkdtempSync(join(tmpdir(), 'millrace-command-'))
after(() => rmSync(scratch, { recursive: true, force: true }))

interface Run {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

class Started {
  readonly #child
  #stdout = ''
  #stderr = ''
  readonly ended: Promise<Run>
  #wake: (() => void) | null = null

  constructor(args: readonly string[]) {
    this.#child = spawn(process.execPath, ['--conditions=source', command, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, HOME: scratch },
    })
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text
      this.#wake?.()
    })
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text
      this.#wake?.()
    })
    this.ended = new Promise((resolve) => {
      this.#child.on('close', (status) => {
        resolve({ status, stdout: this.#stdout, stderr: this.#stderr })
        this.#wake?.()
      })
    })
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name)
  }

  /** The first match in what it prints. */
  async printed(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.#stdout + this.#stderr)
      if (match !== null) return match
      if (this.#child.exitCode !== null)
        throw new Error(`it ended without printing ${pattern}:\n${this.#stdout}${this.#stderr}`)
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }
}

function run(...args: string[]): Promise<Run> {
  return new Started(args).ended
}

const anyPort = ['--override', 'listeners=PLAINTEXT://localhost:0']

test('start prints where it is, answers, keeps its data below the home directory, and ends with 0 on SIGTERM', async () => {
  const broker = new Started(['start', ...anyPort])
  const [, port] = await broker.printed(/listens on {2}127\.0\.0\.1:(\d+)/)
  await broker.printed(/Ctrl-C stops it/)
  assert.ok((await countApis(Number(port))) > 10)
  broker.signal('SIGTERM')
  const { status, stdout } = await broker.ended
  assert.equal(status, 0)
  assert.match(stdout, new RegExp(`data in {5}${join(scratch, '.millrace', 'data')}`))
})

test('a properties file and JSON logs; Ctrl-C passed on twice by npm is one Ctrl-C', async () => {
  const file = join(scratch, 'server.properties')
  writeFileSync(
    file,
    `node.id=3\nlisteners=PLAINTEXT://127.0.0.1:0\nlog.dirs=${join(scratch, 'of-file')}\nnum.io.threads=9\n`,
  )
  const broker = new Started(['start', file, '--log-format', 'json', '--override', 'made.up=1'])
  const [line] = await broker.printed(/^\{.*"message":"started".*$/m)
  const { listeners } = JSON.parse(line) as { listeners: string[] }
  assert.match(listeners[0]!, /^PLAINTEXT:\/\/127\.0\.0\.1:\d+$/)
  broker.signal('SIGINT')
  broker.signal('SIGINT')
  const { status, stdout, stderr } = await broker.ended
  assert.deepEqual([status, stdout], [0, ''])
  assert.match(stderr, /"level":"warn","message":"unknown properties: made.up \(--override\)"/)
  assert.match(readFileSync(join(scratch, 'of-file', 'meta.properties'), 'utf8'), /node.id=3/)
})

test('what keeps it from starting is one clear line each, and exit status 1', async () => {
  const occupied = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => occupied.once('listening', resolve))
  const { port } = occupied.address() as { port: number }
  const logDirs = `log.dirs=${join(scratch, 'other')}`
  const aFile = join(scratch, 'a-file')
  writeFileSync(aFile, '')
  const badFile = join(scratch, 'bad.properties')
  writeFileSync(badFile, 'num.partitions=none\n\nlog.roll.hours=0\n')

  const cases: [args: string[], expected: RegExp[]][] = [
    [
      ['start', '--override', `listeners=PLAINTEXT://127.0.0.1:${port}`, '--override', logDirs],
      [/127\.0\.0\.1:\d+ is in use by another program; listen elsewhere with --override listeners=/],
    ],
    [
      ['start', badFile],
      [
        /Invalid value none for configuration num\.partitions: Not a number of type INT \(.*bad\.properties line 1\)/,
        /Invalid value 0 for configuration log\.roll\.hours: Value must be at least 1 \(.*bad\.properties line 3\)/,
      ],
    ],
    [['start', '--override', 'num.partitions'], [/--override num\.partitions: expected name=value/]],
    [['start', join(scratch, 'absent.properties')], [/cannot read .*absent\.properties/]],
    [['start', ...anyPort, '--override', `log.dirs=${aFile}`], [/cannot use the data directory .*a-file: /]],
  ]
  const runs = await Promise.all(cases.map(([args]) => run(...args)))
  occupied.close()
  for (const [index, { status, stderr }] of runs.entries()) {
    const expected = cases[index]![1]
    assert.equal(status, 1, stderr)
    const errors = stderr.split('\n').filter((line) => line.includes(' error '))
    assert.equal(errors.length, expected.length, stderr)
    for (const [at, pattern] of expected.entries()) assert.match(errors[at]!, pattern)
    assert.doesNotMatch(stderr, /\n\s+at /)
  }
})

test(
  'a directory nobody may write to is named',
  { skip: process.getuid?.() === 0 && 'root may write anywhere' },
  async () => {
    const closed = join(scratch, 'closed')
    mkdirSync(closed)
    chmodSync(closed, 0o500)
    const { status, stderr } = await run('start', ...anyPort, '--override', `log.dirs=${join(closed, 'data')}`)
    assert.equal(status, 1)
    assert.match(stderr, /cannot use the data directory .*closed.*EACCES/)
  },
)

test('help and version', async () => {
  const [help, startHelp, versioned, unknown] = await Promise.all([
    run('--help'),
    run('start', '--help'),
    run('--version'),
    run('begin'),
  ])
  assert.equal(help.status, 0)
  assert.match(help.stdout, /start .*start a broker/)
  assert.match(startHelp.stdout, /--override <name=value>/)
  assert.deepEqual([versioned.status, versioned.stdout.trim()], [0, version])
  assert.notEqual(unknown.status, 0)
  const manifest = JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8')) as { version: string }
  assert.equal(version, manifest.version)
})
