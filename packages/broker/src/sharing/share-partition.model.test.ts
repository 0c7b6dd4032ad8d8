/**
 * A share partition under random members, a random persister, time, compaction, retention and restarts, against a model that knows nothing of
 * batches: one entry for each offset.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KafkaError } from '@millrace/protocol'
import { SeededRandom, SimulatedClock, SimulatedTime } from '@millrace/runtime/testing'
import type { AcquireMode } from './acquire.ts'
import type { FetchedBatch } from './fetched-batches.ts'
import { AcknowledgeType } from './record-state.ts'
import { SharePartition } from './share-partition.ts'
import { MemoryPersister } from './testing/memory-persister.ts'

type Standing = 'available' | 'acquired' | 'done'

interface Entry {
  standing: Standing
  count: number
  owner: string | null
  lockEndMs: number
  /** What it becomes when the write under way happens. */
  pending: Standing | null
}

/** What is known of an offset after a restart. */
interface Stored {
  readonly standing: Standing
  readonly count: number
}

interface PlannedChange {
  readonly offset: bigint
  readonly entry: Entry
  readonly to: Standing
  /** The delivery count to be persisted. */
  readonly count: number
}

const maxInFlight = 60
const maxDeliveryCount = 5
const lockDurationMs = 1000
const largestBatch = 12
const members = ['m1', 'm2', 'm3']
const key = { groupId: 'g', topicId: 't', partition: 0 }

class World {
  readonly random: SeededRandom
  readonly time = new SimulatedTime()
  readonly clock = new SimulatedClock(this.time)
  readonly persister = new MemoryPersister({ isAutomatic: false })
  log: { first: bigint; last: bigint }[] = []
  logStart = 0n
  logEnd = 0n
  leaderEpoch = 0
  share!: SharePartition
  entries = new Map<bigint, Entry>()
  stored = new Map<bigint, Stored>()
  /** The start offset with which the last write that happened was made. */
  storedStart = -1n
  /** In the order of the writes asked for. */
  writes: { changes: PlannedChange[]; isExpiry: boolean; start: bigint }[] = []
  wakes = 0

  constructor(seed: number) {
    this.random = new SeededRandom(seed)
  }

  async restart(): Promise<void> {
    this.share?.lose()
    this.persister.forgetPending()
    this.writes = []
    this.leaderEpoch++
    this.entries = new Map()
    for (const [offset, { standing, count }] of this.stored)
      this.entries.set(offset, { standing, count, owner: null, lockEndMs: 0, pending: null })
    this.share = new SharePartition({
      key,
      leaderEpoch: this.leaderEpoch,
      clock: this.clock,
      persister: this.persister,
      settings: {
        maxInFlight: () => maxInFlight,
        maxDeliveryCount: () => maxDeliveryCount,
        lockDurationMs: () => lockDurationMs,
        allowsRenew: () => true,
      },
      firstOffset: async () => this.logStart,
      onLost: () => {},
    })
    this.share.addWaiter(() => this.wakes++)
    await this.share.load()
  }

  append(): void {
    const count = 1 + this.random.integer(4)
    for (let n = 0; n < count; n++) {
      const size = 1 + this.random.integer(this.random.chance(0.3) ? largestBatch : 3)
      if (this.random.chance(0.1)) this.logEnd += BigInt(this.random.integer(5))
      this.log.push({ first: this.logEnd, last: this.logEnd + BigInt(size - 1) })
      this.logEnd += BigInt(size)
    }
  }

  read(offset: bigint, most: number): FetchedBatch[] {
    const from = this.log.findIndex(({ last }) => last >= offset)
    if (from === -1) return []
    return this.log.slice(from, from + most).map(({ first, last }) => ({
      baseOffset: first,
      lastOffset: last,
      sizeBytes: 100,
      producerId: -1n,
      isTransactional: false,
      isAbortMarker: false,
    }))
  }

  fetch(member: string): void {
    const { share, random } = this
    const offset = share.nextFetchOffset()
    assert.ok(offset >= share.startOffset || offset >= this.logStart, `fetches at ${offset} below the start`)
    if (offset < this.logStart) return this.moveLogStart(this.logStart)
    if (!share.canAcquire()) return
    this.checkFetchOffset(offset)
    const batches = this.read(offset, 1 + random.integer(5))
    const mode: AcquireMode = random.chance(0.5) ? 'record-limit' : 'batch-optimized'
    const maxRecords = 1 + random.integer(20)
    const wasAvailable =
      this.entries.get(offset)?.standing === 'available' && this.entries.get(offset)?.pending === null
    const sizeBefore = share.window.size
    const ranges = share.acquire({
      memberId: member,
      mode,
      batchSize: 1 + random.integer(10),
      maxRecords,
      fetchOffset: offset,
      batches,
      aborted: null,
    })
    const base = batches[0]?.baseOffset
    if (base !== undefined)
      for (const [at, entry] of this.entries)
        if (at >= offset && at < base && entry.standing === 'available' && entry.pending === null)
          entry.standing = 'done'
    let total = 0
    let previous = -1n
    for (const range of ranges) {
      assert.ok(range.firstOffset > previous, 'ranges are in order')
      previous = range.lastOffset
      for (let at = range.firstOffset; at <= range.lastOffset; at++) {
        total++
        this.acquired(at, member, range.deliveryCount)
      }
    }
    // A batch that was taken in part is in the window whole.
    for (const batch of share.window.batches)
      for (let at = batch.firstOffset; at <= batch.lastOffset; at++)
        if (!this.entries.has(at))
          this.entries.set(at, { standing: 'available', count: 0, owner: null, lockEndMs: 0, pending: null })
    if (mode === 'record-limit') assert.ok(total <= maxRecords, `${total} records for ${maxRecords}`)
    assert.ok(
      share.window.size <= Math.max(sizeBefore, maxInFlight + largestBatch * 3),
      `${share.window.size} in flight`,
    )
    if (wasAvailable && base !== undefined && base <= offset)
      assert.ok(ranges.length > 0, `offset ${offset} was available and was not acquired`)
  }

  acquired(at: bigint, member: string, deliveryCount: number): void {
    assert.ok(at >= this.share.startOffset && at <= this.share.endOffset, `${at} lies outside of the window`)
    let entry = this.entries.get(at)
    if (entry === undefined)
      this.entries.set(at, (entry = { standing: 'available', count: 0, owner: null, lockEndMs: 0, pending: null }))
    assert.equal(entry.standing, 'available', `${at} is acquired by ${member}, was ${entry.standing}`)
    assert.equal(entry.pending, null, `${at} is acquired while it changes`)
    entry.standing = 'acquired'
    entry.count++
    entry.owner = member
    entry.lockEndMs = this.clock.monotonicMs() + lockDurationMs
    assert.equal(deliveryCount, entry.count, `delivery count of ${at}`)
    assert.ok(deliveryCount <= maxDeliveryCount)
  }

  /** Whatever is available lies at or behind the fetch offset; what the fetch offset names is not with somebody. */
  checkFetchOffset(offset: bigint): void {
    for (const [at, entry] of this.entries)
      if (entry.standing === 'available' && entry.pending === null && at >= this.share.startOffset)
        assert.ok(offset <= at, `fetches at ${offset}, ${at} is available`)
    const entry = this.entries.get(offset)
    if (entry !== undefined) assert.equal(entry.standing, 'available', `fetches at ${offset}`)
  }

  /** Runs of offsets that stand alike with the member. */
  runsOf(member: string): { first: bigint; last: bigint }[] {
    const runs: { first: bigint; last: bigint }[] = []
    const own = [...this.entries]
      .filter(([, { standing, owner, pending }]) => standing === 'acquired' && owner === member && pending === null)
      .map(([at]) => at)
      .toSorted((left, right) => Number(left - right))
    for (const at of own) {
      const last = runs.at(-1)
      if (last?.last === at - 1n) last.last = at
      else runs.push({ first: at, last: at })
    }
    return runs
  }

  acknowledge(member: string): void {
    const { random } = this
    const runs = this.runsOf(member)
    let first: bigint
    let last: bigint
    if (runs.length > 0 && random.chance(0.85)) {
      const run = runs[random.integer(runs.length)]!
      const size = Number(run.last - run.first) + 1
      const skip = random.chance(0.6) ? 0 : random.integer(size)
      const take = random.chance(0.6) ? size - skip : 1 + random.integer(size - skip)
      first = run.first + BigInt(skip)
      last = first + BigInt(take - 1)
    } else {
      first = this.share.startOffset + BigInt(random.integer(20)) - 3n
      if (first < 0n) first = 0n
      last = first + BigInt(random.integer(6))
    }
    const size = Number(last - first) + 1
    const drawn = () => [1, 1, 1, 2, 2, 3, 4, 0][random.integer(8)]!
    let hasHoles = false
    for (let at = first; at <= last; at++) hasHoles ||= !this.entries.has(at)
    // With holes it is not certain that a renewal, which leaves no trace, is taken.
    const types = hasHoles
      ? [AcknowledgeType.ACCEPT]
      : random.chance(0.5)
        ? [drawn()]
        : Array.from({ length: size }, drawn)
    const typeAt = (at: bigint): number => (types.length === 1 ? types[0]! : types[Number(at - first)]!)
    const asked: { offset: bigint; entry: Entry; type: number }[] = []
    let isFine = true
    for (let at = first; at <= last; at++) {
      if (at < this.share.startOffset) continue
      const entry = this.entries.get(at)
      // Nothing was ever there; only the ends of the range matter to the broker then.
      if (entry === undefined) continue
      if (entry.standing !== 'acquired' || entry.owner !== member || entry.pending !== null) isFine = false
      asked.push({ offset: at, entry, type: typeAt(at) })
    }
    const writesBefore = this.persister.pendingCount
    const startBefore = this.share.startOffset
    const now = this.clock.monotonicMs()
    let failure: unknown
    this.share
      .acknowledge(member, [{ firstOffset: first, lastOffset: last, acknowledgeTypes: types }])
      .catch((error: unknown) => {
        failure = error
      })
    const wrote = this.persister.pendingCount > writesBefore
    this.afterTurn.push(() => {
      if (!isFine) assert.ok(failure instanceof KafkaError, `${member} may not acknowledge ${first}-${last}`)
    })
    if (!isFine) {
      assert.ok(!wrote, 'a refused acknowledgement is not persisted')
      // Renewals before the record that was refused hold.
      for (const { entry, type } of asked) {
        if (entry.standing !== 'acquired' || entry.owner !== member || entry.pending !== null) break
        if (type === AcknowledgeType.RENEW) entry.lockEndMs = now + lockDurationMs
      }
      return
    }
    if (!hasHoles && !wrote)
      this.afterTurn.push(() => assert.equal(failure, undefined, `${member} acknowledges ${first}-${last}`))
    const changes: PlannedChange[] = []
    if (hasHoles && !wrote) return
    for (const { offset, entry, type } of asked) {
      if (type === AcknowledgeType.RENEW) {
        entry.lockEndMs = now + lockDurationMs
        continue
      }
      const to: Standing = type === AcknowledgeType.RELEASE && entry.count < maxDeliveryCount ? 'available' : 'done'
      entry.pending = to
      changes.push({ offset, entry, to, count: entry.count })
    }
    assert.equal(wrote, changes.length > 0, 'changes are persisted, and only changes')
    if (wrote) this.writes.push({ changes, isExpiry: false, start: startBefore })
  }

  release(member: string): void {
    const before = this.persister.pendingCount
    this.share.release(member).catch(() => {})
    const changes: PlannedChange[] = []
    for (const [offset, entry] of this.entries) {
      if (entry.standing !== 'acquired' || entry.owner !== member || entry.pending !== null) continue
      const to: Standing = offset < this.share.startOffset || entry.count >= maxDeliveryCount ? 'done' : 'available'
      entry.pending = to
      changes.push({ offset, entry, to, count: entry.count })
    }
    assert.equal(this.persister.pendingCount > before, changes.length > 0)
    if (changes.length > 0) this.writes.push({ changes, isExpiry: false, start: this.share.startOffset })
  }

  afterTurn: (() => void)[] = []

  async settle(): Promise<void> {
    await this.time.advance(0)
    for (const check of this.afterTurn.splice(0)) check()
  }

  async persistNext(): Promise<void> {
    const write = this.writes.shift()
    if (write === undefined) return
    const isFine = this.random.chance(0.75)
    this.wakes = 0
    if (isFine) {
      this.persister.writeNext()
      this.storedStart = write.start
      for (const { offset, to, count } of write.changes) this.stored.set(offset, { standing: to, count })
      for (const offset of this.stored.keys()) if (offset < write.start) this.stored.delete(offset)
    } else this.persister.failNext()
    await this.settle()
    if (write.isExpiry) return
    const now = this.clock.monotonicMs()
    for (const { entry, to, offset } of write.changes) {
      entry.pending = null
      if (isFine) entry.standing = to
      else if (entry.lockEndMs <= now)
        entry.standing = entry.count >= maxDeliveryCount || offset < this.share.startOffset ? 'done' : 'available'
      if (entry.standing === 'available' && offset < this.share.startOffset) entry.standing = 'done'
      if (entry.standing !== 'acquired') entry.owner = null
    }
    assert.ok(this.wakes > 0, 'who waits for records is told')
  }

  async passTime(ms: number): Promise<void> {
    const end = this.clock.monotonicMs() + ms
    for (;;) {
      const due = [...this.entries.values()]
        .filter(({ standing, pending }) => standing === 'acquired' && pending === null)
        .map(({ lockEndMs }) => lockEndMs)
      const next = Math.min(...due)
      if (next > end) break
      const pendingBefore = this.persister.pendingCount
      const startBefore = this.share.startOffset
      this.wakes = 0
      await this.time.advance(next - this.clock.monotonicMs())
      const changes: PlannedChange[] = []
      for (const [offset, entry] of this.entries) {
        if (entry.standing !== 'acquired' || entry.pending !== null || entry.lockEndMs > next) continue
        entry.standing = entry.count >= maxDeliveryCount || offset < startBefore ? 'done' : 'available'
        entry.owner = null
        changes.push({ offset, entry, to: entry.standing, count: entry.count })
      }
      assert.equal(this.persister.pendingCount, pendingBefore + 1, 'locks that end together are persisted together')
      assert.ok(this.wakes > 0, 'who waits for records is told of locks that ended')
      this.writes.push({ changes, isExpiry: true, start: this.share.startOffset })
    }
    await this.time.advance(end - this.clock.monotonicMs())
  }

  moveLogStart(offset: bigint): void {
    this.logStart = offset
    this.log = this.log.filter(({ last }) => last >= offset)
    if (offset <= this.share.startOffset) return
    this.share.logStartMoved(offset)
    for (const [at, entry] of this.entries)
      if (at < offset && entry.standing === 'available' && entry.pending === null) entry.standing = 'done'
  }

  compact(): void {
    if (this.log.length < 3) return
    this.log.splice(this.random.integer(this.log.length - 1), 1)
  }

  check(): void {
    const { share } = this
    const { startOffset, endOffset } = share
    assert.ok(startOffset <= endOffset + 1n)
    for (const [at, { standing, pending }] of this.entries) {
      if (at < startOffset)
        assert.ok(standing !== 'available' || pending !== null, `${at} is below ${startOffset}, and available`)
      if (at < startOffset && at >= this.logStart && standing !== 'done')
        assert.fail(`the start passed ${at}, which is ${standing}`)
    }
    if (!share.window.hasUnreadGap && share.window.batches.length > 0) {
      const first = [...this.entries]
        .filter(([at]) => at >= startOffset && at <= endOffset)
        .toSorted(([left], [right]) => Number(left - right))[0]
      const isBlocked = [...this.entries].some(
        ([at, { standing, pending }]) => at < startOffset && (standing !== 'done' || pending !== null),
      )
      if (first !== undefined && !isBlocked)
        assert.ok(
          first[1].standing !== 'done' || first[1].pending !== null,
          `the start stays at ${startOffset}, though ${first[0]} is done`,
        )
    }
    const done = [...this.entries].filter(
      ([at, { standing, pending }]) =>
        at >= startOffset && at <= endOffset && share.window.batches.length > 0 && (pending ?? standing) === 'done',
    ).length
    assert.equal(share.window.terminalCount(), done, 'records done with in the window')
  }

  /** With members that accept everything the group gets to the end. */
  async drain(): Promise<void> {
    this.persister.isAutomatic = false
    for (let round = 0; round < 2000; round++) {
      while (this.writes.length > 0) await this.persistNext()
      const { share } = this
      if (share.startOffset >= this.logEnd) return
      this.fetch('m1')
      for (const member of members)
        for (const { first, last } of this.runsOf(member)) {
          const changes: PlannedChange[] = []
          for (let at = first; at <= last; at++) {
            const entry = this.entries.get(at)!
            if (at < share.startOffset) continue
            entry.pending = 'done'
            changes.push({ offset: at, entry, to: 'done', count: entry.count })
          }
          if (changes.length === 0) continue
          const start = share.startOffset
          share.acknowledge(member, [{ firstOffset: first, lastOffset: last, acknowledgeTypes: [1] }]).catch(() => {})
          this.writes.push({ changes, isExpiry: false, start })
        }
      // What the log's start has passed is let go when the lock ends.
      if (round % 20 === 19) await this.passTime(lockDurationMs)
      if (this.read(share.nextFetchOffset(), 1).length === 0 && this.writes.length === 0 && this.isAtRest()) return
    }
    assert.fail(`no end: at ${this.share.startOffset}-${this.share.endOffset}, the log ends at ${this.logEnd}`)
  }

  isAtRest(): boolean {
    return [...this.entries.values()].every(({ standing }) => standing === 'done')
  }
}

async function step(world: World): Promise<void> {
  const { random } = world
  const member = members[random.integer(members.length)]!
  const dice = random.integer(100)
  if (dice < 15) world.append()
  else if (dice < 45) world.fetch(member)
  else if (dice < 65) world.acknowledge(member)
  else if (dice < 82) await world.persistNext()
  else if (dice < 90) await world.passTime(random.integer(700))
  else if (dice < 93) world.release(member)
  else if (dice < 95) world.compact()
  else if (dice < 97 && world.logEnd > world.logStart)
    world.moveLogStart(world.logStart + BigInt(random.integer(Math.min(15, Number(world.logEnd - world.logStart)))))
  else if (dice >= 98) await world.restart()
  await world.settle()
  world.check()
}

test('a share partition gives each record as one entry per offset would', async () => {
  const firstSeed = Number(process.env['SEED'] ?? 1)
  const runs = process.env['SEED'] === undefined ? 300 : 1
  for (let seed = firstSeed; seed < firstSeed + runs; seed++) {
    try {
      const world = new World(seed)
      await world.restart()
      for (let n = 0; n < 150; n++) await step(world)
      await world.drain()
    } catch (error) {
      throw new Error(`with SEED=${seed}: ${(error as Error).message}`, { cause: error })
    }
  }
})
