/** How a client checks who the broker is, and proves who it is itself. What is wrong is told without what was given: most of it is secret. */
import { closestName } from './closest-name.ts'
import { isFunction, isObject } from './option.ts'

/** Certificates and keys are PEM texts. */
export interface TlsOptions {
  /** Certificates of the authorities to trust instead of the system's. */
  readonly ca?: string
  /** The client's own certificate chain and private key, for brokers with `ssl.client.auth`. */
  readonly certificate?: string
  readonly key?: string
  readonly passphrase?: string
  /** The name expected in the broker's certificate. Default: the host connected to. */
  readonly serverName?: string
  /** False trusts any certificate: for experiments only. Default true. */
  readonly verify?: boolean
}

interface Part {
  readonly expects: string
  readonly accepts: (value: unknown) => boolean
}

type Parts = Readonly<Record<string, Part>>

const text: Part = { expects: 'a text', accepts: (value) => typeof value === 'string' }
const flag: Part = { expects: 'true or false', accepts: (value) => typeof value === 'boolean' }
// Node takes more than our types say, as what a file was read into.
const pem: Part = {
  expects: 'a PEM text',
  accepts: (value) =>
    typeof value === 'string' || value instanceof Uint8Array || (Array.isArray(value) && value.every(pem.accepts)),
}

const tlsParts: Parts = { ca: pem, certificate: pem, key: pem, passphrase: text, serverName: text, verify: flag }

const user: Parts = { username: text, password: text }
const mechanisms: Readonly<Record<string, { readonly needed: Parts; readonly optional: Parts }>> = {
  PLAIN: { needed: user, optional: {} },
  'SCRAM-SHA-256': { needed: user, optional: { delegationToken: flag } },
  'SCRAM-SHA-512': { needed: user, optional: { delegationToken: flag } },
  OAUTHBEARER: {
    needed: { token: { expects: 'a function that gives tokens', accepts: isFunction } },
    optional: {},
  },
}

/** What is wrong with the value of the option `ssl`; null: nothing. */
export function tlsProblem(value: unknown): string | null {
  if (typeof value === 'boolean') return null
  if (!isObject(value)) return `ssl expects true, false, or an object with certificates, but got ${kindOf(value)}`
  return problemOfParts('ssl', value, {}, tlsParts)
}

/** The same of the option `sasl`. */
export function saslProblem(value: unknown): string | null {
  if (!isObject(value)) return `sasl expects an object with a mechanism, or null, but got ${kindOf(value)}`
  const { mechanism, ...others } = value
  const names = Object.keys(mechanisms)
  if (typeof mechanism !== 'string' || !names.includes(mechanism)) {
    const near = typeof mechanism === 'string' ? closestName(mechanism, names) : null
    return `sasl.mechanism expects one of ${names.join(', ')}${near === null ? '' : `; did you mean ${near}?`}`
  }
  const { needed, optional } = mechanisms[mechanism]!
  return problemOfParts('sasl', others, needed, optional)
}

function problemOfParts(
  option: string,
  given: Readonly<Record<string, unknown>>,
  needed: Parts,
  optional: Parts,
): string | null {
  const parts = { ...needed, ...optional }
  for (const [name, value] of Object.entries(given)) {
    const part = Object.hasOwn(parts, name) ? parts[name] : undefined
    if (part === undefined) {
      const near = closestName(name, Object.keys(parts))
      return `there is no option ${option}.${name}${near === null ? '' : `; did you mean ${option}.${near}?`}`
    }
    if (value !== undefined && !part.accepts(value))
      return `${option}.${name} expects ${part.expects}, but got ${kindOf(value)}`
  }
  for (const [name, { expects }] of Object.entries(needed))
    if (given[name] === undefined) return `${option}.${name} is missing; it expects ${expects}`
  return null
}

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  return value === undefined ? 'nothing' : typeof value === 'object' ? 'an object' : `a ${typeof value}`
}
