/** What goes between the application's loop and the thread of the hearts. Plain data only: it is cloned. */
import type { OAuthBearerToken } from '@millrace/network'
import type { LogFields } from '@millrace/runtime'
import { kafkaOptions, type ClientSettings } from '../../config/client-options.ts'
import type { HeartEvent, HeartPlan, LeaveOptions, Vitals } from './heart.ts'

/** Settings without what cannot be cloned: the logger, what makes spans, a provider of tokens. */
export type PlainSettings = Omit<ClientSettings, 'logger' | 'tracing' | 'sasl'> & {
  /** 'remote' stands for a provider of tokens on the other side. */
  readonly sasl: Exclude<ClientSettings['sasl'], { mechanism: 'OAUTHBEARER' }> | 'remote'
}

export type ToThread =
  | { readonly kind: 'open'; readonly id: number; readonly settings: PlainSettings; readonly plan: HeartPlan }
  /** `beat` counts the beats of a heart, so that what is told of one before can be told from what is told of this. */
  | { readonly kind: 'beat'; readonly id: number; readonly beat: number; readonly vitals: Vitals }
  | { readonly kind: 'update'; readonly id: number; readonly vitals: Vitals }
  | { readonly kind: 'stop'; readonly id: number }
  | { readonly kind: 'leave'; readonly id: number; readonly leaving: LeaveOptions; readonly leave: number }
  | { readonly kind: 'close'; readonly id: number }
  | { readonly kind: 'token'; readonly id: number; readonly token: OAuthBearerToken }

export type FromThread =
  | { readonly kind: 'up' }
  | { readonly kind: 'event'; readonly id: number; readonly beat: number; readonly event: HeartEvent }
  | { readonly kind: 'left'; readonly id: number; readonly leave: number }
  | { readonly kind: 'closed'; readonly id: number }
  /** A token has been used, or is waited for: the next is wanted. */
  | { readonly kind: 'token-wanted'; readonly id: number }
  | {
      readonly kind: 'log'
      readonly id: number
      readonly level: 'debug' | 'info' | 'warn' | 'error'
      readonly message: string
      readonly fields: LogFields
    }

/** Only what a cluster needs: settings of consumers hold functions as well. */
export function plainSettings(settings: ClientSettings): PlainSettings {
  const { sasl } = settings
  const names = (Object.keys(kafkaOptions) as (keyof ClientSettings)[]).filter(
    (name) => name !== 'logger' && name !== 'tracing' && name !== 'sasl',
  )
  const plain = Object.fromEntries(names.map((name) => [name, settings[name]])) as Omit<PlainSettings, 'sasl'>
  return { ...plain, sasl: sasl?.mechanism === 'OAUTHBEARER' ? 'remote' : sasl }
}

/** Errors cannot be told from other objects after cloning, and fields may be anything: texts instead. */
export function plainFields(fields: LogFields): LogFields {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name,
      typeof value === 'number' || typeof value === 'boolean' ? value : textOf(value),
    ]),
  )
}

function textOf(value: unknown): string {
  return value instanceof Error ? (value.stack ?? value.message) : String(value)
}
