/** A broker's own nodes in the coordination tree: the cluster's id, the broker's registration, the office of the controller. */
import { checkNode, createNode, deleteNode, isCoordinationFailure, setNode } from '@millrace/coordination'
import type { CoordinationSession } from '@millrace/coordination'
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { Clock, Random } from '@millrace/runtime'
import { randomUuid } from './random-uuid.ts'
import {
  brokerPath,
  clusterIdPath,
  controllerEpochPath,
  controllerPath,
  decode,
  encode,
  encodeBroker,
  encodeClusterId,
  encodeController,
  encodeFeatures,
  featuresPath,
  permanentPaths,
} from './znodes.ts'
import type { BrokerRegistration } from './znodes.ts'

/** How often a race for a node is tried again; each time somebody else has won. */
const MAX_ATTEMPTS = 100

export interface NewClusterOptions {
  readonly random: Random
  /** null: a random one. */
  readonly wishedClusterId: string | null
  /** Of features, to be finalized. */
  readonly initialLevels: ReadonlyMap<string, number>
}

/**
 * Makes sure that the permanent nodes are there, and that the cluster has an id and finalized features: as the options say when it is
 * new, or has none yet. Returns the id.
 */
export async function ensureCluster(
  session: CoordinationSession,
  { random, wishedClusterId, initialLevels }: NewClusterOptions,
): Promise<string> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const stats = await Promise.all([...permanentPaths, controllerEpochPath].map((path) => session.exists(path)))
    const missing = permanentPaths.filter((_, index) => stats[index] === null).map((path) => createNode(path))
    // Kafka's first controller has epoch 1.
    if (stats[permanentPaths.length] === null) missing.push(createNode(controllerEpochPath, encode('0')))
    if ((await session.exists(clusterIdPath)) === null)
      missing.push(createNode(clusterIdPath, encodeClusterId(wishedClusterId ?? randomUuid(random))))
    if ((await session.exists(featuresPath)) === null)
      missing.push(createNode(featuresPath, encodeFeatures(initialLevels)))
    try {
      if (missing.length > 0) await session.multi(missing)
      const { id } = decode(clusterIdPath, (await session.get(clusterIdPath)).data)
      if (typeof id !== 'string' || id === '') throw new Error(`coordination tree: ${clusterIdPath} holds no id`)
      return id
    } catch (error) {
      // Another broker was setting up the cluster at the same time.
      if (!isCoordinationFailure(error, 'node-exists')) throw error
    }
  }
  throw new Error(`coordination tree: the permanent nodes could not be created in ${MAX_ATTEMPTS} attempts`)
}

export interface RegistrationOptions {
  readonly brokerId: number
  readonly registration: BrokerRegistration
  readonly clock: Clock
  /** Sessions this process had before: what they left behind may be removed at once. */
  readonly formerSessions: ReadonlySet<bigint>
  /** How long to wait for the session of somebody else with this id to end. */
  readonly patienceMs: number
}

/**
 * Registers the broker for as long as the session lives. Returns the broker epoch.
 * @throws KafkaError DUPLICATE_BROKER_REGISTRATION when another broker has the id and keeps it.
 */
export async function registerBroker(session: CoordinationSession, options: RegistrationOptions): Promise<bigint> {
  const { brokerId, registration, clock, formerSessions, patienceMs } = options
  const path = brokerPath(brokerId)
  const deadline = clock.monotonicMs() + patienceMs
  for (;;) {
    try {
      await session.multi([createNode(path, encodeBroker(registration, clock.now()), 'ephemeral')])
      return (await session.get(path)).stat.czxid
    } catch (error) {
      if (!isCoordinationFailure(error, 'node-exists')) throw error
    }
    const present = await session.exists(path)
    if (present === null) continue
    if (present.ephemeralOwner === session.id) return present.czxid
    if (formerSessions.has(present.ephemeralOwner)) {
      await session.multi([deleteNode(path, present.version)]).catch(ignoreLostRace)
      continue
    }
    const remainingMs = deadline - clock.monotonicMs()
    if (remainingMs <= 0 || !(await deletionWithin(session, path, clock, remainingMs)))
      throw new KafkaError(
        ErrorCode.DUPLICATE_BROKER_REGISTRATION,
        `another broker is registered with id ${brokerId} (session ${present.ephemeralOwner} of the coordination tree)`,
      )
  }
}

/** The office of the controller, held. */
export interface Office {
  readonly controllerEpoch: number
  /** Version of `/controller_epoch` that every write has to check. */
  readonly epochVersion: number
}

/** Tries to become the controller; null when another broker is. */
export async function takeOffice(
  session: CoordinationSession,
  brokerId: number,
  nowMs: number,
): Promise<Office | null> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const present = await session.exists(controllerPath)
    const { data, stat } = await session.get(controllerEpochPath)
    const controllerEpoch = Number(Buffer.from(data).toString())
    if (!Number.isSafeInteger(controllerEpoch))
      throw new Error(`coordination tree: ${controllerEpochPath} holds no number`)
    const isOurs = present?.ephemeralOwner === session.id
    if (present !== null && !isOurs) return null
    try {
      await session.multi([
        // Each term has an epoch of its own, so that a late write of the last one, whose answer was lost, can do no harm.
        setNode(controllerEpochPath, encode(String(controllerEpoch + 1)), stat.version),
        isOurs
          ? checkNode(controllerPath, present.version)
          : createNode(controllerPath, encodeController(brokerId, nowMs), 'ephemeral'),
      ])
      return { controllerEpoch: controllerEpoch + 1, epochVersion: stat.version + 1 }
    } catch (error) {
      ignoreLostRace(error)
    }
  }
  throw new Error(`coordination tree: no controller could be elected in ${MAX_ATTEMPTS} attempts`)
}

/** The broker that is controller; −1 when there is none. `onChange` is called once when that changes. */
export async function controllerOf(session: CoordinationSession, onChange: () => void): Promise<number> {
  if ((await session.exists(controllerPath, onChange)) === null) return -1
  try {
    return Number(decode(controllerPath, (await session.get(controllerPath)).data).brokerid)
  } catch (error) {
    if (isCoordinationFailure(error, 'no-node')) return -1
    throw error
  }
}

function ignoreLostRace(error: unknown): void {
  if (isCoordinationFailure(error, 'bad-version') || isCoordinationFailure(error, 'node-exists')) return
  if (isCoordinationFailure(error, 'no-node')) return
  throw error
}

async function deletionWithin(
  session: CoordinationSession,
  path: string,
  clock: Clock,
  timeoutMs: number,
): Promise<boolean> {
  const changed = Promise.withResolvers<boolean>()
  if ((await session.exists(path, () => changed.resolve(true))) === null) return true
  const timer = clock.after(timeoutMs, () => changed.resolve(false))
  // A session that has ended hears of nothing; the next use of it says why.
  const stopListening = session.onStateChange(() => changed.resolve(true))
  const isChanged = await changed.promise
  timer.cancel()
  stopListening()
  return isChanged
}
