/** Mutated requests at our broker, while a witness looks whether all others are served as ever. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { apiByKey, ApiVersions, encodeRequestFrame, type Api } from '@millrace/protocol'
import { messageValue } from '@millrace/protocol/testing'
import fc from 'fast-check'
import { BrokerProcess } from './broker-process.ts'
import { dice, mutate, type Dice } from './mutate.ts'
import { RawClient } from '@millrace/broker/testing'
import { LivingState } from './living-state.ts'
import { Witness } from './witness.ts'

/** How long a vandal waits for an answer before it goes on. */
const patienceMs = 30
const framesPerCheck = 250
const framesRemembered = 100
/** A request that is refused for its content is a warning; these lines tell of a bug of the broker's own. */
const bugs =
  /cannot (serve|append to|apply|load|tell an offset of|delete records of|read \d+ bytes of|write a marker)|coordinator (has failed|fails|stops)|timer .* has failed|looking after .* has failed/
const maxResidentBytes = 600 * 1024 * 1024

interface Target {
  readonly api: Api
  readonly version: number
}

async function advertisedTargets(port: number): Promise<Target[]> {
  const client = await RawClient.open(port)
  const { apiKeys } = await client.ask(ApiVersions, 3, { clientSoftwareName: 'fuzz', clientSoftwareVersion: '1' })
  client.close()
  return apiKeys.flatMap(({ apiKey, minVersion, maxVersion }) => {
    const api = apiByKey(apiKey)!
    return Array.from({ length: maxVersion - minVersion + 1 }, (_, at) => ({ api, version: minVersion + at }))
  })
}

function damagedFrame({ api, version }: Target, living: LivingState, random: Dice): Uint8Array {
  const [value] = fc.sample(messageValue(api.request, version), { seed: random.roll(0x7fffffff), numRuns: 1 })
  const inhabited = random.roll(4) > 0 ? living.inhabit(value, random) : value
  const frame = encodeRequestFrame(api, version, random.roll(1000), 'fuzz', inhabited as never)
  return mutate(new Uint8Array(Buffer.concat(frame)), random)
}

async function attack(
  broker: BrokerProcess,
  targets: readonly Target[],
  frames: number,
  random: Dice,
): Promise<Witness> {
  const witness = new Witness()
  const living = new LivingState()
  /** Frames that may come once more, later. */
  const earlier: Uint8Array[] = []
  await witness.makeTopic(broker.port)
  let client: RawClient | null = null
  let sent = 0
  for (; sent < frames; sent++) {
    if (sent % framesPerCheck === 0) {
      await witness.check(broker.port)
      await living.revive(broker.port)
      const resident = broker.residentBytes
      if (resident > maxResidentBytes) throw new Error(`the broker has grown to ${Math.round(resident / 1e6)} MB`)
    }
    if (client === null || client.isClosed) client = await RawClient.open(broker.port)
    const isRepetition = earlier.length > 0 && random.roll(10) === 0
    const frame = isRepetition
      ? earlier[random.roll(earlier.length)]!
      : damagedFrame(targets[random.roll(targets.length)]!, living, random)
    earlier[sent % framesRemembered] = frame
    client.write(frame)
    const answer = await client.frame(patienceMs)
    if (answer === 'silent' || random.roll(10) === 0) {
      client.close()
      client = null
    }
    if (!broker.isRunning) throw new Error('the broker has died')
    if (bugs.test(broker.output)) throw new Error('the broker could not serve a request')
  }
  await witness.check(broker.port)
  client?.close()
  return witness
}

/** Returns whether all went well; otherwise it is told on standard error. */
export async function attackBroker(frames: number, seed: number): Promise<boolean> {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-fuzz-'))
  let broker = await BrokerProcess.start(directory)
  try {
    const targets = await advertisedTargets(broker.port)
    const witness = await attack(broker, targets, frames, dice(seed))
    const exit = await broker.stop()
    if (exit !== 0) throw new Error(`after SIGTERM the broker ended with ${exit}`)
    broker = await BrokerProcess.start(directory)
    await witness.check(broker.port)
    return true
  } catch (error) {
    console.error(error)
    console.error(`the broker's last lines:\n${broker.output}`)
    return false
  } finally {
    broker.kill()
    rmSync(directory, { recursive: true, force: true })
  }
}
