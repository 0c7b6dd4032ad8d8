/** Entry of the thread of the hearts; see `thread-host.ts` for how it is found. Hearts come and go by messages. */
import { parentPort } from 'node:worker_threads'
import type { OAuthBearerToken } from '@millrace/network'
import type { LogFields, Logger } from '@millrace/runtime'
import type { ClientSettings } from '../../config/client-options.ts'
import { realWorld } from '../../world.ts'
import { BeatingHeart } from './beating-heart.ts'
import { heartCluster } from './heart-cluster.ts'
import type { HeartPlan } from './heart.ts'
import { plainFields, type FromThread, type PlainSettings, type ToThread } from './thread-messages.ts'
import { TokenInbox } from './token-inbox.ts'

interface Resident {
  readonly heart: BeatingHeart
  readonly tokens: TokenInbox
  beat: number
}

const world = realWorld()
const residents = new Map<number, Resident>()

parentPort?.on('message', (message: ToThread) => {
  if (message.kind === 'open') residents.set(message.id, open(message))
  else {
    const resident = residents.get(message.id)
    if (resident !== undefined) handle(resident, message)
  }
})
tell({ kind: 'up' })

function open({ id, settings, plan }: { id: number; settings: PlainSettings; plan: HeartPlan }): Resident {
  const tokens = new TokenInbox(world.clock, () => tell({ kind: 'token-wanted', id }))
  const cluster = heartCluster(fullSettings(id, settings, tokens), world)
  const heart = new BeatingHeart({
    cluster,
    plan,
    listener: (event) => tell({ kind: 'event', id, beat: resident.beat, event }),
  })
  const resident: Resident = { heart, tokens, beat: 0 }
  return resident
}

function handle(resident: Resident, message: Exclude<ToThread, { kind: 'open' }>): void {
  const { heart, tokens } = resident
  const { id } = message
  switch (message.kind) {
    case 'beat':
      resident.beat = message.beat
      heart.beat(message.vitals)
      break
    case 'update':
      heart.update(message.vitals)
      break
    case 'stop':
      heart.stop()
      break
    case 'leave': {
      const { leave } = message
      void heart.leave(message.leaving).then(() => tell({ kind: 'left', id, leave }))
      break
    }
    case 'token':
      tokens.put(message.token)
      break
    case 'close':
      residents.delete(id)
      void heart[Symbol.asyncDispose]().then(() => tell({ kind: 'closed', id }))
      break
  }
}

function fullSettings(id: number, settings: PlainSettings, tokens: TokenInbox): ClientSettings {
  const { sasl } = settings
  return {
    ...settings,
    tracing: null,
    logger: remoteLogger(id, {}),
    sasl:
      sasl === 'remote'
        ? { mechanism: 'OAUTHBEARER', token: (signal: AbortSignal): Promise<OAuthBearerToken> => tokens.take(signal) }
        : sasl,
  }
}

function remoteLogger(id: number, own: LogFields): Logger {
  const line =
    (level: 'debug' | 'info' | 'warn' | 'error') =>
    (message: string, fields: LogFields = {}): void =>
      tell({ kind: 'log', id, level, message, fields: plainFields({ ...own, ...fields }) })
  return {
    debug: line('debug'),
    info: line('info'),
    warn: line('warn'),
    error: line('error'),
    child: (fields) => remoteLogger(id, { ...own, ...fields }),
  }
}

function tell(message: FromThread): void {
  parentPort?.postMessage(message)
}
