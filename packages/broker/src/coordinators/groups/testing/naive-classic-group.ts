/**
 * One classic group as the protocol tells it, in the plainest words: everything is a list, and every rule is written out where it applies. The
 * model that the real one is held against. Requests are numbers, answers are lines of text.
 */
import type { NaiveLog } from './naive-log.ts'
import type { NaiveTimers } from './naive-timers.ts'

export interface NaiveJoin {
  readonly memberId: string
  readonly instance: string | null
  /** `name@metadata`, in order of preference. */
  readonly protocols: readonly string[]
  readonly sessionMs: number
  readonly rebalanceMs: number
  readonly version: number
}

interface Member {
  id: string
  instance: string | null
  protocols: readonly string[]
  sessionMs: number
  rebalanceMs: number
  waitingJoin: number | null
  waitingSync: number | null
  isNew: boolean
  assignment: string
}

/** What the log keeps. */
export interface NaiveRecord {
  readonly generation: number
  readonly protocol: string | null
  readonly leader: string | null
  readonly members: readonly Omit<Member, 'waitingJoin' | 'waitingSync' | 'isNew'>[]
}

export interface NaiveServices {
  readonly timers: NaiveTimers
  readonly log: NaiveLog<NaiveRecord>
  readonly answer: (request: number, text: string) => void
  /** Told at once, also when what it goes by is not committed yet. */
  readonly refuse: (request: number, code: string) => void
  readonly newId: () => string
  readonly delayMs: number
  readonly maxSize: number
}

const emptyGroup: NaiveRecord = { generation: 0, protocol: null, leader: null, members: [] }

export class NaiveClassicGroup {
  exists = false
  state = 'Empty'
  generation = 0
  protocol: string | null = null
  leader: string | null = null
  members: Member[] = []
  pending: string[] = []
  #isFirstRebalance = false
  #hasGrown = false
  #isInGrace = false
  #unsynced: string[] = []
  readonly #services: NaiveServices

  constructor(services: NaiveServices) {
    this.#services = services
  }

  /** As read from the log; null: the log has nothing. */
  load(record: NaiveRecord | null): void {
    this.exists = record !== null
    this.state = record === null || record.members.length === 0 ? 'Empty' : 'Stable'
    this.generation = record?.generation ?? 0
    this.protocol = record?.protocol ?? null
    this.leader = record?.leader ?? null
    this.members = (record?.members ?? []).map((member) => ({
      ...member,
      protocols: member.protocols.filter((one) => nameOf(one) === record!.protocol),
      waitingJoin: null,
      waitingSync: null,
      isNew: false,
    }))
    this.pending = []
    this.#unsynced = []
    this.#hasGrown = false
    this.#isInGrace = false
    for (const member of this.members) this.#restartSession(member)
    if (this.members.length > this.#services.maxSize) this.#prepare()
  }

  join(request: number, join: NaiveJoin): void {
    const { log, answer } = this.#services
    if (this.exists) return this.#joinExisting(request, join)
    if (join.memberId !== '') return answer(request, 'UNKNOWN_MEMBER_ID')
    const settled = (ok: boolean): void => {
      if (ok) this.#joinExisting(request, join)
    }
    log.write(request, emptyGroup, settled, () => this.load(emptyGroup))
  }

  #joinExisting(request: number, join: NaiveJoin): void {
    const { maxSize, answer } = this.#services
    const known = this.#member(join.memberId)
    const waiting = this.members.filter(({ waitingJoin }) => waitingJoin !== null).length
    const hasRoom =
      this.state === 'Empty' ||
      (this.state === 'PreparingRebalance'
        ? (known !== undefined && known.waitingJoin !== null) || waiting < maxSize
        : known !== undefined || this.members.length < maxSize)
    if (!hasRoom) {
      this.#drop(join.memberId)
      return answer(request, 'GROUP_MAX_SIZE_REACHED')
    }
    const fits =
      this.state === 'Empty' || join.protocols.some((one) => this.members.every((member) => has(member, nameOf(one))))
    if (!fits) return answer(request, 'INCONSISTENT_GROUP_PROTOCOL')
    if (join.memberId === '') return this.#joinNew(request, join)
    if (this.pending.includes(join.memberId)) {
      if (join.instance !== null) return this.#services.refuse(request, 'UNKNOWN_SERVER_ERROR')
      return this.#add(request, join, join.memberId)
    }
    const problem = this.#strangeness(join.memberId, join.instance)
    if (problem !== null) return answer(request, problem)
    const hasChanged = String(known!.protocols) !== String(join.protocols)
    if (this.state === 'PreparingRebalance') return this.#rejoin(request, known!, join)
    if (this.state === 'CompletingRebalance')
      return hasChanged ? this.#rejoin(request, known!, join) : answer(request, this.#joinedText(known!.id))
    if (this.state === 'Stable')
      return hasChanged || this.leader === known!.id
        ? this.#rejoin(request, known!, join)
        : answer(request, this.#joinedText(known!.id))
    answer(request, 'UNKNOWN_MEMBER_ID')
  }

  #joinNew(request: number, join: NaiveJoin): void {
    const { newId, timers, answer } = this.#services
    const id = newId()
    if (join.instance !== null) {
      const current = this.members.find(({ instance }) => instance === join.instance)
      return current === undefined ? this.#add(request, join, id) : this.#takeOver(request, join, current, id)
    }
    if (join.version < 4) return this.#add(request, join, id)
    this.pending.push(id)
    timers.set(`session ${id}`, join.sessionMs, () => this.#sessionOver(id))
    answer(request, `MEMBER_ID_REQUIRED ${id}`)
  }

  #add(request: number, { instance, protocols, sessionMs, rebalanceMs }: NaiveJoin, id: string): void {
    if (this.state === 'PreparingRebalance' && this.#isFirstRebalance) this.#hasGrown = true
    this.pending = this.pending.filter((one) => one !== id)
    this.leader ??= id
    const waits = { waitingJoin: request, waitingSync: null, isNew: true, assignment: '' }
    this.members.push({ id, instance, protocols, sessionMs, rebalanceMs, ...waits })
    this.#services.timers.set(`session ${id}`, 5 * 60_000, () => this.#sessionOver(id))
    this.#prepareOrComplete()
  }

  #rejoin(request: number, member: Member, join: NaiveJoin): void {
    this.#change(request, member, join)
    this.#prepareOrComplete()
  }

  #change(request: number, member: Member, { protocols, sessionMs, rebalanceMs }: NaiveJoin): void {
    if (member.waitingJoin !== null) this.#services.answer(member.waitingJoin, 'REBALANCE_IN_PROGRESS')
    Object.assign(member, { protocols, sessionMs, rebalanceMs, waitingJoin: request })
  }

  /** A static member that comes back. */
  #takeOver(request: number, join: NaiveJoin, old: Member, id: string): void {
    const { answer, log, timers } = this.#services
    const before = { ...old, waitingJoin: null, waitingSync: null, isNew: false }
    if (old.waitingJoin !== null) answer(old.waitingJoin, 'FENCED_INSTANCE_ID')
    if (old.waitingSync !== null) answer(old.waitingSync, 'FENCED_INSTANCE_ID')
    const leaderBefore = this.leader
    const member = this.#rename(old, { ...before, id })
    this.#restartSession(member)
    this.#change(request, member, join)
    if (this.state === 'CompletingRebalance') return this.#prepare()
    if (this.state !== 'Stable') return this.#completeIfAllJoined()
    if (this.protocol !== this.#preferredProtocol()) return this.#prepareOrComplete()
    log.write(request, this.#record(), (ok) => {
      if (this.#member(id) !== member || this.state !== 'Stable') return
      member.waitingJoin = null
      if (ok) {
        const isLeader = this.leader === id
        if (join.version >= 9) return answer(request, `${this.#joinedText(id)}${isLeader ? ' skip' : ''}`)
        return answer(request, this.#joinedText(id, leaderBefore))
      }
      answer(request, 'COORDINATOR_NOT_AVAILABLE')
      const restored = this.#rename(member, before)
      timers.clear(`session ${id}`)
      this.#restartSession(restored)
    })
  }

  #rename(old: Member, member: Member): Member {
    if (this.leader === old.id) this.leader = member.id
    this.members = [...this.members.filter((one) => one !== old), member]
    this.#unsynced = this.#unsynced.map((one) => (one === old.id ? member.id : one))
    return member
  }

  sync(
    request: number,
    memberId: string,
    instance: string | null,
    generation: number,
    assignments: ReadonlyMap<string, string>,
  ): void {
    const { answer, refuse, log } = this.#services
    if (!this.exists || this.state === 'Empty') return refuse(request, 'UNKNOWN_MEMBER_ID')
    const problem = this.#strangeness(memberId, instance)
    if (problem !== null) return refuse(request, problem)
    if (generation !== this.generation) return refuse(request, 'ILLEGAL_GENERATION')
    if (this.state === 'PreparingRebalance') return refuse(request, 'REBALANCE_IN_PROGRESS')
    const member = this.#member(memberId)!
    this.#unsynced = this.#unsynced.filter((one) => one !== memberId)
    if (this.#unsynced.length === 0) this.#services.timers.clear('sync')
    if (this.state === 'Stable') return answer(request, `assigned ${member.assignment}`)
    if (member.waitingSync !== null) answer(member.waitingSync, 'REBALANCE_IN_PROGRESS')
    member.waitingSync = request
    if (this.leader !== memberId) return
    log.write(request, this.#record(assignments), (ok) => {
      if (this.state !== 'CompletingRebalance' || this.generation !== generation) return
      if (!ok) {
        this.#sendSyncsAway('COORDINATOR_NOT_AVAILABLE')
        return this.#prepare()
      }
      for (const one of this.members) {
        one.assignment = assignments.get(one.id) ?? ''
        if (one.waitingSync === null) continue
        answer(one.waitingSync, `assigned ${one.assignment}`)
        one.waitingSync = null
        this.#restartSession(one)
      }
      this.state = 'Stable'
    })
  }

  heartbeat(request: number, memberId: string, instance: string | null, generation: number): void {
    const { answer, refuse } = this.#services
    const problem = this.exists ? this.#strangeness(memberId, instance) : 'UNKNOWN_MEMBER_ID'
    if (problem !== null) return refuse(request, problem)
    if (generation !== this.generation) return refuse(request, 'ILLEGAL_GENERATION')
    if (this.state === 'Empty') return refuse(request, 'UNKNOWN_MEMBER_ID')
    this.#restartSession(this.#member(memberId)!)
    answer(request, this.state === 'PreparingRebalance' ? 'REBALANCE_IN_PROGRESS' : 'NONE')
  }

  leave(request: number, memberId: string, instance: string | null): void {
    const { answer, refuse, timers, log } = this.#services
    if (!this.exists) return refuse(request, 'UNKNOWN_MEMBER_ID')
    const isPending = this.pending.includes(memberId)
    const problem = isPending ? null : this.#strangeness(memberId, instance)
    if (problem !== null) return answer(request, `left ${problem}`)
    timers.clear(`session ${memberId}`)
    this.#drop(memberId)
    log.onBehalfOf(request, () => {
      if (this.state === 'Stable' || this.state === 'CompletingRebalance') this.#prepare()
      else this.#completeIfAllJoined()
    })
    answer(request, 'left NONE')
  }

  #strangeness(memberId: string, instance: string | null): string | null {
    if (instance !== null) {
      const current = this.members.find((member) => member.instance === instance)
      if (current === undefined) return 'UNKNOWN_MEMBER_ID'
      if (current.id !== memberId) return 'FENCED_INSTANCE_ID'
    }
    return this.#member(memberId) === undefined ? 'UNKNOWN_MEMBER_ID' : null
  }

  #prepareOrComplete(): void {
    if (this.state === 'PreparingRebalance') this.#completeIfAllJoined()
    else this.#prepare()
  }

  #prepare(): void {
    const { timers, delayMs } = this.#services
    if (this.state === 'CompletingRebalance') this.#sendSyncsAway('REBALANCE_IN_PROGRESS')
    this.#unsynced = []
    timers.clear('sync')
    this.#isFirstRebalance = this.state === 'Empty'
    this.state = 'PreparingRebalance'
    if (this.#isFirstRebalance) return this.#delay(delayMs, Math.max(this.#longestRebalanceMs() - delayMs, 0))
    if (this.#haveAllJoined()) return this.#complete()
    timers.set('join', this.#longestRebalanceMs(), () => this.#complete())
  }

  #delay(delayMs: number, remainingMs: number): void {
    const { timers } = this.#services
    timers.set('join', delayMs, () => {
      if (this.#hasGrown && remainingMs > 0) {
        this.#hasGrown = false
        return this.#delay(Math.min(this.#services.delayMs, remainingMs), Math.max(remainingMs - delayMs, 0))
      }
      if (this.pending.length === 0) return this.#complete()
      this.#isInGrace = true
      timers.set('join', 100, () => this.#complete())
    })
  }

  #sendSyncsAway(code: string): void {
    for (const member of this.members) {
      member.assignment = ''
      if (member.waitingSync === null) continue
      this.#services.answer(member.waitingSync, code)
      member.waitingSync = null
      this.#restartSession(member)
    }
  }

  #haveAllJoined(): boolean {
    return this.pending.length === 0 && this.members.every(({ waitingJoin }) => waitingJoin !== null)
  }

  #completeIfAllJoined(): void {
    const isDelayed = this.#isFirstRebalance && !this.#isInGrace
    if (this.state === 'PreparingRebalance' && !isDelayed && this.#haveAllJoined()) this.#complete()
  }

  #complete(): void {
    const { timers, log, answer } = this.#services
    if (this.state !== 'PreparingRebalance') return
    timers.clear('join')
    for (const { id, waitingJoin, instance } of this.members)
      if (waitingJoin === null && instance === null) {
        this.#drop(id)
        timers.clear(`session ${id}`)
      }
    const joined = this.members.filter(({ waitingJoin }) => waitingJoin !== null)
    if (this.members.length > 0 && joined.length === 0)
      return timers.set('join', this.#longestRebalanceMs(), () => this.#complete())
    if (joined.length > 0 && !joined.some(({ id }) => id === this.leader)) this.leader = joined[0]!.id
    this.generation++
    this.#isInGrace = false
    this.#isFirstRebalance = false
    this.#unsynced = []
    this.protocol = this.members.length === 0 ? null : this.#preferredProtocol()
    if (this.members.length === 0) {
      this.state = 'Empty'
      log.write(null, this.#record(), () => {})
      return
    }
    this.state = 'CompletingRebalance'
    for (const member of this.members) {
      if (member.waitingJoin !== null) answer(member.waitingJoin, this.#joinedText(member.id))
      member.waitingJoin = null
      this.#restartSession(member)
      member.isNew = false
      this.#unsynced.push(member.id)
    }
    const { generation } = this
    timers.set('sync', this.#longestRebalanceMs(), () => {
      if (generation !== this.generation || this.#unsynced.length === 0) return
      for (const id of this.#unsynced) {
        this.#drop(id)
        timers.clear(`session ${id}`)
      }
      this.#prepare()
    })
  }

  #sessionOver(id: string): void {
    const member = this.#member(id)
    if (member === undefined && !this.pending.includes(id)) return
    const waits = member !== undefined && (member.waitingJoin !== null || member.waitingSync !== null)
    if (waits && !member.isNew) return
    this.#drop(id)
    if (member !== undefined && this.state !== 'PreparingRebalance' && this.state !== 'Empty') return this.#prepare()
    if (this.state === 'PreparingRebalance' && this.#haveAllJoined()) this.#complete()
  }

  #drop(id: string): void {
    const member = this.#member(id)
    if (member !== undefined) {
      if (member.waitingJoin !== null) this.#services.answer(member.waitingJoin, 'UNKNOWN_MEMBER_ID')
      if (member.waitingSync !== null) this.#services.answer(member.waitingSync, 'UNKNOWN_MEMBER_ID')
    }
    this.members = this.members.filter((one) => one.id !== id)
    this.pending = this.pending.filter((one) => one !== id)
    this.#unsynced = this.#unsynced.filter((one) => one !== id)
    if (this.leader === id) this.leader = this.members[0]?.id ?? null
  }

  #restartSession({ id, sessionMs }: Member): void {
    this.#services.timers.set(`session ${id}`, sessionMs, () => this.#sessionOver(id))
  }

  #longestRebalanceMs(): number {
    return Math.max(0, ...this.members.map(({ rebalanceMs }) => rebalanceMs))
  }

  #preferredProtocol(): string {
    const votes = this.members.map((member) =>
      member.protocols.map(nameOf).find((name) => this.members.every((one) => has(one, name)))!,
    )
    const count = (name: string): number => votes.filter((one) => one === name).length
    return votes.reduce((best, name) => (count(name) > count(best) ? name : best))
  }

  #joinedText(id: string, leader = this.leader): string {
    const members =
      leader === id && this.leader === id ? this.members.map((one) => `${one.id}:${metadata(one, this.protocol)}`) : []
    return `generation ${this.generation} ${this.protocol} leader ${leader} me ${id} members ${members.toSorted().join()}`
  }

  #record(assignments?: ReadonlyMap<string, string>): NaiveRecord {
    return {
      generation: this.generation,
      protocol: this.protocol,
      leader: this.leader,
      members: this.members.map(({ id, instance, protocols, sessionMs, rebalanceMs, assignment }) => ({
        id,
        instance,
        protocols,
        sessionMs,
        rebalanceMs,
        assignment: assignments === undefined ? assignment : (assignments.get(id) ?? ''),
      })),
    }
  }

  #member(id: string): Member | undefined {
    return this.members.find((member) => member.id === id)
  }
}

function nameOf(protocol: string): string {
  return protocol.slice(0, protocol.indexOf('@'))
}

function has(member: Member, name: string): boolean {
  return member.protocols.some((one) => nameOf(one) === name)
}

function metadata(member: Member, name: string | null): string {
  return member.protocols.find((one) => nameOf(one) === name)!
}
