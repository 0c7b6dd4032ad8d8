/**
 * A classic group against the naive one: random histories of joins, syncs, heartbeats and departures of members of all kinds, with time
 * passing, appends refused, commits held back and the coordinator moving. After each step every request must have been answered alike.
 *
 * `SEED=123 npm test -- classic-groups.model` repeats one history; `RUNS=10000` tries more of them.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ErrorCode, errorName, KafkaError } from '@millrace/protocol'
import { SeededRandom } from '@millrace/runtime/testing'
import type { GroupShard } from '../group-shard.ts'
import { testGroup } from '../testing/classic-client.ts'
import { GroupShardUnderTest } from '../testing/group-shard-under-test.ts'
import { NaiveClassicGroup, type NaiveRecord } from '../testing/naive-classic-group.ts'
import { NaiveLog } from '../testing/naive-log.ts'
import { NaiveTimers } from '../testing/naive-timers.ts'
import type { JoinAnswer, LeaveAnswer, SyncAnswer } from './classic-answers.ts'
import type { ClassicGroup } from './classic-group.ts'

const runs = Number(process.env['RUNS'] ?? 100)
const steps = 120

/** A process that consumes, or several with the same instance id. */
interface Process {
  readonly instance: string | null
  readonly version: number
  readonly sessionMs: number
  readonly rebalanceMs: number
  readonly protocolNames: readonly string[]
  /** Counts the changes of its metadata. */
  change: number
  memberId: string
  generation: number
  /** Of the members it has to assign to. */
  led: readonly string[]
  request: number | null
}

interface Known {
  /** Ids of the real group by those of the model, and back. */
  readonly real: Map<string, string>
  readonly model: Map<string, string>
}

class History {
  readonly #random: SeededRandom
  readonly #under: GroupShardUnderTest
  readonly #timers = new NaiveTimers()
  readonly #log = new NaiveLog<NaiveRecord>()
  readonly #model: NaiveClassicGroup
  readonly #processes: Process[]
  readonly #told = new Map<number, string>()
  readonly #known: Known = { real: new Map(), model: new Map() }
  readonly #newIds: string[] = []
  readonly #done: string[] = []
  #requests = 0
  #ids = 0

  constructor(seed: number) {
    const random = new SeededRandom(seed)
    this.#random = random
    const delayMs = random.chance(0.5) ? 0 : 3000
    const maxSize = random.chance(0.7) ? 100 : 3
    this.#under = new GroupShardUnderTest({ configs: configsOf(delayMs, maxSize), seed })
    this.#configs = configsOf(delayMs, maxSize)
    this.#model = new NaiveClassicGroup({
      timers: this.#timers,
      log: this.#log,
      answer: (request, text) => this.#log.answer(request, text),
      refuse: (request, code) => this.#log.refuse(request, code),
      newId: () => {
        const id = `m${++this.#ids}`
        this.#newIds.push(id)
        return id
      },
      delayMs,
      maxSize,
    })
    const kinds = [
      [null, 9],
      [null, 3],
      ['i', 9],
      ['j', 5],
      [null, 9],
      ['i', 8],
    ] as const
    this.#processes = kinds.map(([instance, version], index) => ({
      instance,
      version,
      sessionMs: 10_000 + 137 * index,
      rebalanceMs: 5000 + 1009 * index,
      protocolNames: random.chance(0.5) ? ['range', 'sticky'] : ['sticky', 'range'],
      change: 0,
      memberId: '',
      generation: -1,
      led: [],
      request: null,
    }))
  }

  readonly #configs: Record<string, number>

  async run(): Promise<void> {
    for (let step = 0; step < steps; step++) {
      const what = this.#act()
      this.#done.push(what)
      this.#timers.advance(0)
      await this.#passed
      await this.#under.time.advance(0)
      this.#meetNewIds()
      // Of a static member whose place was not taken in the end.
      this.#newIds.length = 0
      this.#compare()
      this.#listen()
    }
  }

  /** The history up to now, for the message of a failure. */
  get told(): string {
    return this.#done.join('\n')
  }

  #act(): string {
    const process = this.#processes[this.#random.integer(this.#processes.length)]!
    const dice = this.#random.integer(100)
    if (dice < 30) return this.#join(process)
    if (dice < 50) return this.#sync(process)
    if (dice < 60) return this.#heartbeat(process)
    if (dice < 64) return this.#leave(process)
    if (dice < 84) return this.#pass()
    if (dice < 87) return this.#refuse()
    if (dice < 95) return this.#hold()
    if (dice < 97) return this.#move()
    process.change++
    return `a process changes to ${process.change}`
  }

  #join(process: Process): string {
    const { instance, version, sessionMs, rebalanceMs, protocolNames, change } = process
    const memberId = this.#idFor(process)
    const protocols = protocolNames.map((name) => `${name}@${change}`)
    const request = this.#ask(process, (number) =>
      this.#model.join(number, { memberId, instance, protocols, sessionMs, rebalanceMs, version }),
    )
    const client = { clientId: 'c', clientHost: '/h', apiVersion: version }
    const whole = {
      groupId: testGroup,
      sessionTimeoutMs: sessionMs,
      rebalanceTimeoutMs: rebalanceMs,
      memberId: this.#realId(memberId),
      groupInstanceId: instance,
      protocolType: 'consumer',
      protocols: protocols.map((text) => ({ name: text.split('@')[0]!, metadata: Buffer.from(text) })),
      reason: null,
    }
    this.#tell(
      request,
      this.#under.write(({ classic }) => classic.join(whole, client)),
      (answer) => this.#joinText(answer),
    )
    return `${request}: join of ${memberId} instance ${instance} ${protocols.join()}`
  }

  #sync(process: Process): string {
    const { instance } = process
    const memberId = this.#idFor(process)
    const generation = this.#random.chance(0.1) ? process.generation - 1 : process.generation
    const forgets = this.#random.chance(0.1)
    const assignments = new Map(process.led.slice(forgets ? 1 : 0).map((id) => [id, `${id} in ${generation}`]))
    const request = this.#ask(process, (number) =>
      this.#model.sync(number, memberId, instance, generation, assignments),
    )
    const whole = {
      groupId: testGroup,
      generationId: generation,
      memberId: this.#realId(memberId),
      groupInstanceId: instance,
      protocolType: null,
      protocolName: null,
      assignments: [...assignments].map(([id, text]) => ({
        memberId: this.#realId(id),
        assignment: Buffer.from(text),
      })),
    }
    const client = { clientId: 'c', clientHost: '/h', apiVersion: 5 }
    this.#tell(
      request,
      this.#under.write(({ classic }) => classic.sync(whole, client)),
      syncText,
    )
    return `${request}: sync of ${memberId} in ${generation}, assigning to ${[...assignments.keys()].join()}`
  }

  #heartbeat(process: Process): string {
    const { instance, generation } = process
    const memberId = this.#idFor(process)
    const request = this.#ask(process, (number) => this.#model.heartbeat(number, memberId, instance, generation))
    const whole = {
      groupId: testGroup,
      generationId: generation,
      memberId: this.#realId(memberId),
      groupInstanceId: instance,
    }
    const client = { clientId: 'c', clientHost: '/h', apiVersion: 4 }
    this.#tell(
      request,
      this.#under.write(({ classic }) => classic.heartbeat(whole, client)),
      ({ errorCode }) => errorName(errorCode),
    )
    return `${request}: heartbeat of ${memberId} in ${generation}`
  }

  #leave(process: Process): string {
    const { instance } = process
    const memberId = this.#idFor(process) || 'nobody'
    const request = this.#ask(process, (number) => this.#model.leave(number, memberId, instance))
    const members = [{ memberId: this.#realId(memberId), groupInstanceId: instance, reason: null }]
    const client = { clientId: 'c', clientHost: '/h', apiVersion: 5 }
    const leaving = this.#under.write(({ classic }) =>
      classic.leave({ groupId: testGroup, memberId: '', members }, client),
    )
    this.#tell(request, leaving, (answer: LeaveAnswer) => `left ${errorName(answer.members![0]!.errorCode)}`)
    return `${request}: ${memberId} leaves`
  }

  #pass(): string {
    const most = this.#random.chance(0.5) ? 200 : this.#random.chance(0.9) ? 4000 : 40_000
    const ms = this.#random.integer(most)
    this.#timers.advance(ms)
    this.#passed = this.#under.time.advance(ms)
    return `${ms} ms pass`
  }

  #passed: Promise<void> = Promise.resolve()

  #refuse(): string {
    this.#log.refuses = !this.#log.refuses
    this.#under.refusal = this.#log.refuses ? new KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE) : null
    return this.#log.refuses ? 'appends are refused' : 'appends are taken'
  }

  #hold(): string {
    this.#log.holds = !this.#log.holds
    this.#under.holdsCommits = this.#log.holds
    if (!this.#log.holds) {
      this.#log.commit()
      this.#under.commit()
    }
    return this.#log.holds ? 'commits are held' : 'all is committed'
  }

  #move(): string {
    this.#log.lose()
    this.#timers.clearAll()
    this.#model.load(this.#log.records.at(-1) ?? null)
    this.#under.moveAway(this.#configs)
    return 'the coordinator moves'
  }

  #ask(process: Process, act: (request: number) => void): number {
    const request = ++this.#requests
    act(request)
    this.#log.decided(request)
    process.request = request
    return request
  }

  #tell<A>(request: number, answering: Promise<A>, text: (answer: A) => string): void {
    answering.then(
      (answer) => this.#told.set(request, text(answer)),
      (error: unknown) => {
        if (!(error instanceof KafkaError)) throw error
        this.#told.set(request, errorName(error.code))
      },
    )
  }

  /** At times the id of another, or none. */
  #idFor(process: Process): string {
    const dice = this.#random.integer(30)
    if (dice === 0) return ''
    if (dice === 1) return this.#processes[this.#random.integer(this.#processes.length)]!.memberId
    return process.memberId
  }

  #joinText({ errorCode, generationId, protocolName, leader, memberId, skipAssignment, members }: JoinAnswer): string {
    if (errorCode === ErrorCode.MEMBER_ID_REQUIRED) {
      this.#meetNewIds()
      return `MEMBER_ID_REQUIRED ${this.#modelId(memberId)}`
    }
    if (errorCode !== ErrorCode.NONE) return errorName(errorCode)
    this.#meetNewIds()
    const others = members.map((one) => `${this.#modelId(one.memberId)}:${Buffer.from(one.metadata).toString()}`)
    const parts = [`generation ${generationId} ${protocolName} leader ${this.#modelId(leader)}`]
    parts.push(`me ${this.#modelId(memberId)} members ${others.toSorted().join()}`)
    return parts.join(' ') + (skipAssignment === true ? ' skip' : '')
  }

  /** The ids that both have given out since, one by one in the same order. */
  #meetNewIds(): void {
    const group = groupOf(this.#under.shard)
    if (group === undefined) return
    for (const real of [...group.members.keys(), ...group.pendingJoins]) {
      if (this.#known.model.has(real)) continue
      const id = this.#newIds.shift()
      assert.ok(id !== undefined, `${real} was given out by the real group alone`)
      this.#known.model.set(real, id)
      this.#known.real.set(id, real)
    }
  }

  #realId(id: string): string {
    return this.#known.real.get(id) ?? id
  }

  #modelId(real: string): string {
    return this.#known.model.get(real) ?? real
  }

  #compare(): void {
    const requests = Array.from({ length: this.#requests }, (_, index) => index + 1)
    const differing = requests
      .filter((request) => this.#told.get(request) !== this.#log.told(request))
      .map((request) => `${request} was told ${this.#told.get(request)}, expected ${this.#log.told(request)}`)
    assert.deepEqual(differing, [])
    const model = this.#model
    const group = groupOf(this.#under.shard)
    assert.equal(group !== undefined, model.exists)
    if (group === undefined) return
    assert.deepEqual(
      {
        state: group.state,
        generation: group.generation,
        protocol: group.protocol,
        leader: group.leaderId === null ? null : this.#modelId(group.leaderId),
        members: Array.from(group.members.keys(), (id) => this.#modelId(id)),
        pending: Array.from(group.pendingJoins, (id) => this.#modelId(id)),
      },
      {
        state: model.state,
        generation: model.generation,
        protocol: model.protocol,
        leader: model.leader,
        members: model.members.map(({ id }) => id),
        pending: model.pending,
      },
    )
    this.#compareReload()
  }

  /** What is read from the log is the last generation that was written. */
  #compareReload(): void {
    const record = this.#log.records.at(-1)
    assert.equal(this.#under.logLength, this.#log.records.length)
    const group = groupOf(this.#under.reloaded())
    assert.equal(group === undefined, record === undefined)
    if (group === undefined || record === undefined) return
    assert.deepEqual(
      {
        generation: group.generation,
        protocol: group.protocol,
        leader: group.leaderId === null ? null : this.#modelId(group.leaderId),
        members: Array.from(group.members.values(), (member) => [
          this.#modelId(member.id),
          member.groupInstanceId,
          Buffer.from(member.assignment).toString(),
        ]),
      },
      {
        generation: record.generation,
        protocol: record.protocol,
        leader: record.leader,
        members: record.members.map(({ id, instance, assignment }) => [id, instance, assignment]),
      },
    )
  }

  /** Processes learn from what they are told. */
  #listen(): void {
    for (const process of this.#processes) {
      if (process.request === null) continue
      const text = this.#told.get(process.request)
      if (text === undefined) continue
      process.request = null
      const joined = /^generation (\d+) \S+ leader \S+ me (\S+) members (\S*)/.exec(text)
      if (joined !== null) {
        process.generation = Number(joined[1])
        process.memberId = joined[2]!
        process.led = joined[3] === '' ? [] : joined[3]!.split(',').map((one) => one.slice(0, one.indexOf(':')))
      } else if (text.startsWith('MEMBER_ID_REQUIRED')) process.memberId = text.split(' ')[1]!
      else if (text === 'UNKNOWN_MEMBER_ID' || text === 'FENCED_INSTANCE_ID' || text === 'left NONE')
        process.memberId = ''
    }
  }
}

function configsOf(delayMs: number, maxSize: number): Record<string, number> {
  return { 'group.initial.rebalance.delay.ms': delayMs, 'group.max.size': maxSize }
}

function groupOf(shard: GroupShard): ClassicGroup | undefined {
  return shard.groups.get(testGroup) as ClassicGroup | undefined
}

function syncText({ errorCode, assignment }: SyncAnswer): string {
  return errorCode === ErrorCode.NONE ? `assigned ${Buffer.from(assignment).toString()}` : errorName(errorCode)
}

test('a classic group does in any history what the naive one does', async () => {
  const first = process.env['SEED'] === undefined ? 1 : Number(process.env['SEED'])
  const last = process.env['SEED'] === undefined ? runs : first
  for (let seed = first; seed <= last; seed++) {
    const history = new History(seed)
    try {
      await history.run()
    } catch (error) {
      throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}\n${history.told}`, {
        cause: error,
      })
    }
  }
})
