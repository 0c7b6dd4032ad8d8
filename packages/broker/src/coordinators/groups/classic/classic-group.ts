/**
 * A classic group: its members, its state and its generation. What its members ask for is decided in the files beside this one; here are the
 * membership and the rules that do not change it. Source: Kafka's ClassicGroup.
 */
import { ErrorCode, GroupMetadataRecord, KafkaError } from '@millrace/protocol'
import { tombstone, type CoordinatorRecord } from '../../runtime/decision.ts'
import type { Group, OffsetCommitter, RetentionStart } from '../group.ts'
import { refusedJoin, refusedSync, type JoinAnswer, type SyncAnswer } from './classic-answers.ts'
import { noAssignment, type ClassicMember, type MemberProtocol } from './classic-member.ts'
import { mayFollow, type ClassicState } from './classic-state.ts'
import { chooseProtocol, ProtocolCounts } from './protocol-choice.ts'
import { consumerProtocolType, subscribedTopics } from './subscribed-topics.ts'

export interface ClassicGroupOptions {
  readonly id: string
  readonly state: 'Empty' | 'Stable'
  readonly generation?: number
  /** null while no member has joined. */
  readonly protocolType?: string | null
  /** The chosen protocol. */
  readonly protocol?: string | null
  readonly leaderId?: string | null
  /** When it came to its state, in milliseconds since 1970; null when that is not known. */
  readonly stateSinceMs: number | null
  readonly owesRebalance?: boolean
}

/** Invariants: `leaderId` is null or a member; a pending member is no member; `#awaitingJoins` is the number of members that await a join. */
export class ClassicGroup implements Group {
  readonly id: string
  readonly type = 'classic'
  readonly expires = true
  /** Members left when it became a classic group: nobody owns what they had before its members have joined their first generation. */
  owesRebalance: boolean
  readonly members = new Map<string, ClassicMember>()
  /** Ids that were given out, whose members have yet to join with them (KIP-394). */
  readonly pendingJoins = new Set<string>()
  /** Members that have yet to ask for their assignment. */
  readonly pendingSyncs = new Set<string>()
  /** A member has come while the first rebalance waits: it may wait longer. */
  hasGrown = false
  /** The first rebalance has waited as long as it should, and ends when everybody has joined. */
  isPastInitialDelay = false
  /** Member ids by group instance id. */
  readonly #staticMembers = new Map<string, string>()
  readonly #protocolCounts = new ProtocolCounts()
  #state: ClassicState
  #previousState: ClassicState = 'Dead'
  #stateSinceMs: number | null
  #generation: number
  #protocolType: string | null
  #protocol: string | null
  #leaderId: string | null
  #awaitingJoins = 0
  /** null when it is not known. */
  #subscribedTopics: ReadonlySet<string> | null = null

  constructor(options: ClassicGroupOptions) {
    this.id = options.id
    this.owesRebalance = options.owesRebalance ?? false
    this.#state = options.state
    this.#stateSinceMs = options.stateSinceMs
    this.#generation = options.generation ?? 0
    this.#protocolType = options.protocolType ?? null
    this.#protocol = options.protocol ?? null
    this.#leaderId = options.leaderId ?? null
  }

  get state(): ClassicState {
    return this.#state
  }

  get previousState(): ClassicState {
    return this.#previousState
  }

  get stateName(): string {
    return this.#state
  }

  get stateSinceMs(): number | null {
    return this.#stateSinceMs
  }

  get generation(): number {
    return this.#generation
  }

  get protocolType(): string {
    return this.#protocolType ?? ''
  }

  /** null while no generation has members. */
  get protocol(): string | null {
    return this.#protocol
  }

  get leaderId(): string | null {
    return this.#leaderId
  }

  get isEmpty(): boolean {
    return this.#state === 'Empty'
  }

  get memberCount(): number {
    return this.members.size
  }

  get awaitingJoins(): number {
    return this.#awaitingJoins
  }

  /** Made by offsets alone: no member has ever joined, and the log holds nothing of it but offsets. */
  get isSimple(): boolean {
    return this.#protocolType === null && this.isEmpty && this.pendingJoins.size === 0
  }

  get usesConsumerProtocol(): boolean {
    return this.#protocolType === consumerProtocolType
  }

  get haveAllJoined(): boolean {
    return this.members.size === this.#awaitingJoins && this.pendingJoins.size === 0
  }

  get canRebalance(): boolean {
    return mayFollow(this.#state, 'PreparingRebalance')
  }

  /** The longest of its members'. */
  get rebalanceTimeoutMs(): number {
    let longest = 0
    for (const member of this.members.values()) longest = Math.max(longest, member.rebalanceTimeoutMs)
    return longest
  }

  moveTo(state: ClassicState, nowMs: number): void {
    if (!mayFollow(this.#state, state)) throw new Error(`group ${this.id} cannot go from ${this.#state} to ${state}`)
    this.#previousState = this.#state
    this.#state = state
    this.#stateSinceMs = nowMs
  }

  isLeader(memberId: string): boolean {
    return this.#leaderId === memberId
  }

  staticMemberId(groupInstanceId: string): string | undefined {
    return this.#staticMembers.get(groupInstanceId)
  }

  /** Whether a member of these protocols could be one of the group. */
  supports(protocolType: string, protocols: readonly MemberProtocol[]): boolean {
    if (this.isEmpty) return protocolType !== '' && protocols.length > 0
    return (
      this.#protocolType === protocolType &&
      protocols.some(({ name }) => this.#protocolCounts.of(name) === this.members.size)
    )
  }

  add(member: ClassicMember, protocolType: string, awaitingJoin: ((answer: JoinAnswer) => void) | null = null): void {
    const { id, groupInstanceId, protocols } = member
    if (groupInstanceId !== null && this.#staticMembers.has(groupInstanceId))
      throw new Error(`group ${this.id} has a member for instance ${groupInstanceId} already`)
    if (this.members.size === 0) this.#protocolType = protocolType
    if (this.#protocolType !== protocolType || !this.supports(protocolType, protocols))
      throw new Error(`member ${id} does not fit into group ${this.id}`)
    if (groupInstanceId !== null) this.#staticMembers.set(groupInstanceId, id)
    this.#leaderId ??= id
    this.members.set(id, member)
    this.#protocolCounts.add(protocols)
    this.#awaitJoin(member, awaitingJoin)
    this.pendingJoins.delete(id)
  }

  /** A member or a pending one. The leader's place goes to another. When it waits, it is told that it is no member any more. */
  remove(memberId: string): void {
    const member = this.members.get(memberId)
    if (member !== undefined) {
      this.answerJoin(member, refusedJoin(ErrorCode.UNKNOWN_MEMBER_ID))
      this.answerSync(member, refusedSync(ErrorCode.UNKNOWN_MEMBER_ID))
      this.members.delete(memberId)
      this.#protocolCounts.remove(member.protocols)
      if (member.groupInstanceId !== null) this.#staticMembers.delete(member.groupInstanceId)
    }
    if (this.isLeader(memberId)) this.#leaderId = this.members.keys().next().value ?? null
    this.pendingJoins.delete(memberId)
    this.pendingSyncs.delete(memberId)
  }

  update(
    member: ClassicMember,
    {
      protocols,
      rebalanceTimeoutMs,
      sessionTimeoutMs,
    }: Pick<ClassicMember, 'protocols' | 'rebalanceTimeoutMs' | 'sessionTimeoutMs'>,
    awaitingJoin: ((answer: JoinAnswer) => void) | null,
  ): void {
    this.#protocolCounts.remove(member.protocols)
    member.protocols = protocols
    this.#protocolCounts.add(protocols)
    member.rebalanceTimeoutMs = rebalanceTimeoutMs
    member.sessionTimeoutMs = sessionTimeoutMs
    this.#awaitJoin(member, awaitingJoin)
  }

  /** The same static member under a new id, in the old one's place. `member` is the new one. */
  replace(oldMemberId: string, member: ClassicMember): void {
    const wasLeader = this.isLeader(oldMemberId)
    const awaitsSync = this.pendingSyncs.delete(oldMemberId)
    this.remove(oldMemberId)
    this.members.set(member.id, member)
    this.#protocolCounts.add(member.protocols)
    this.#staticMembers.set(member.groupInstanceId!, member.id)
    if (wasLeader) this.#leaderId = member.id
    if (awaitsSync) this.pendingSyncs.add(member.id)
  }

  /** In place of an earlier request of the same member, which is told to ask again. */
  awaitSync(member: ClassicMember, answer: (answer: SyncAnswer) => void): void {
    this.answerSync(member, refusedSync(ErrorCode.REBALANCE_IN_PROGRESS))
    member.awaitingSync = answer
  }

  answerJoin(member: ClassicMember, answer: JoinAnswer): void {
    const { awaitingJoin } = member
    this.#countAwaitingJoin(member, null)
    awaitingJoin?.(answer)
  }

  /** Returns whether it was waiting. */
  answerSync(member: ClassicMember, answer: SyncAnswer): boolean {
    const { awaitingSync } = member
    member.awaitingSync = null
    awaitingSync?.(answer)
    return awaitingSync !== null
  }

  /** Makes sure that the leader is one that has joined. Returns false when nobody has, or there are no members. */
  electJoinedLeader(): boolean {
    if (this.#leaderId === null) return false
    const leader = this.members.get(this.#leaderId)
    if (leader !== undefined && leader.awaitingJoin !== null) return true
    for (const member of this.members.values()) {
      if (member.awaitingJoin === null) continue
      this.#leaderId = member.id
      return true
    }
    return false
  }

  /** The protocol that its members would choose now. */
  protocolOfNextGeneration(): string {
    return chooseProtocol(this.members, this.#protocolCounts)
  }

  beginGeneration(nowMs: number): void {
    // As a Java int does.
    this.#generation = (this.#generation + 1) | 0
    this.owesRebalance = false
    this.chooseProtocol()
    this.moveTo(this.members.size > 0 ? 'CompletingRebalance' : 'Empty', nowMs)
    this.pendingSyncs.clear()
    this.isPastInitialDelay = false
  }

  /** Of the members there are. */
  chooseProtocol(): void {
    this.#protocol = this.members.size > 0 ? this.protocolOfNextGeneration() : null
    this.learnSubscribedTopics()
  }

  /** To be called when members were added to a group whose protocol is known already. */
  learnSubscribedTopics(): void {
    this.#subscribedTopics = this.usesConsumerProtocol ? subscribedTopics(this.#subscriptions()) : null
    if (this.#protocol === null && this.members.size > 0) this.#subscribedTopics = null
  }

  setAssignments(assignments: ReadonlyMap<string, Uint8Array>): void {
    for (const member of this.members.values()) member.assignment = assignments.get(member.id) ?? noAssignment
  }

  /**
   * Whether the request comes from who it says it comes from.
   * @throws KafkaError UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID when another member has the group instance id by now.
   */
  checkMember(memberId: string, groupInstanceId: string | null): void {
    if (groupInstanceId !== null) {
      const current = this.#staticMembers.get(groupInstanceId)
      if (current === undefined) throw new KafkaError(ErrorCode.UNKNOWN_MEMBER_ID)
      if (current !== memberId) throw new KafkaError(ErrorCode.FENCED_INSTANCE_ID)
    }
    if (!this.members.has(memberId)) throw new KafkaError(ErrorCode.UNKNOWN_MEMBER_ID)
  }

  /** Also by members whose generation has ended, until the next one begins: they commit what they give up. */
  checkOffsetCommit({ memberId, groupInstanceId, generationOrEpoch, isTransactional }: OffsetCommitter): null {
    if (this.#state === 'Dead') throw new KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE)
    // An administrator, or a consumer that assigns partitions to itself.
    if (generationOrEpoch < 0 && this.isEmpty) return null
    if (generationOrEpoch >= 0 || memberId !== '' || groupInstanceId !== null) {
      this.checkMember(memberId, groupInstanceId)
      if (generationOrEpoch !== this.#generation) throw new KafkaError(ErrorCode.ILLEGAL_GENERATION)
    } else if (!isTransactional && !this.isEmpty) throw new KafkaError(ErrorCode.UNKNOWN_MEMBER_ID)
    // The member knows of the new generation, but not yet what it is to consume: it cannot have consumed it.
    if (!isTransactional && this.#state === 'CompletingRebalance') throw new KafkaError(ErrorCode.REBALANCE_IN_PROGRESS)
    return null
  }

  checkOffsetFetch(): void {
    if (this.#state === 'Dead') throw this.#isDead()
  }

  checkOffsetDelete(): void {
    if (this.#state === 'Dead') throw this.#isDead()
    if (!this.isEmpty && !this.usesConsumerProtocol) throw new KafkaError(ErrorCode.NON_EMPTY_GROUP)
  }

  checkDelete(): void {
    if (this.#state === 'Dead') throw this.#isDead()
    if (!this.isEmpty) throw new KafkaError(ErrorCode.NON_EMPTY_GROUP)
  }

  /** When it is not known which topics consumers read, all count as subscribed. */
  isSubscribedTo(topic: string): boolean {
    return this.#subscribedTopics?.has(topic) ?? this.usesConsumerProtocol
  }

  retentionStart(): RetentionStart | null {
    const ofCommit: RetentionStart = (offset) => offset.commitTimestampMs
    if (this.#protocolType === null) return ofCommit
    const since = this.#stateSinceMs
    if (this.isEmpty) return since === null ? ofCommit : () => since
    return this.usesConsumerProtocol && this.#subscribedTopics !== null && this.#state === 'Stable' ? ofCommit : null
  }

  tombstones(): CoordinatorRecord[] {
    return [tombstone(GroupMetadataRecord, { group: this.id })]
  }

  /** In place of an earlier request of the same member, which is told to ask again. */
  #awaitJoin(member: ClassicMember, answer: ((answer: JoinAnswer) => void) | null): void {
    this.answerJoin(member, refusedJoin(ErrorCode.REBALANCE_IN_PROGRESS, member.id))
    this.#countAwaitingJoin(member, answer)
  }

  #countAwaitingJoin(member: ClassicMember, answer: ((answer: JoinAnswer) => void) | null): void {
    this.#awaitingJoins += Number(answer !== null) - Number(member.awaitingJoin !== null)
    member.awaitingJoin = answer
  }

  *#subscriptions(): Generator<Uint8Array, void> {
    if (this.#protocol !== null) for (const member of this.members.values()) yield member.metadata(this.#protocol)
  }

  #isDead(): KafkaError {
    return new KafkaError(ErrorCode.GROUP_ID_NOT_FOUND, `Group ${this.id} is in dead state.`)
  }
}
