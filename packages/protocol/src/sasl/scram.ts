/**
 * SCRAM-SHA-256 and SCRAM-SHA-512 (RFC 5802, RFC 7677), without channel binding. Names and passwords are taken as UTF-8 as they are: Kafka does
 * not apply SASLprep, and would find others under the prepared ones.
 */

import { digest, hmac, sameSecret, stretch } from '@millrace/runtime'
import type { HashName, Random } from '@millrace/runtime'
import { authenticationFailed } from './exchange.ts'
import type { SaslExchange } from './exchange.ts'

/** A broker that asks for less makes guessing from an overheard exchange too easy. */
const MIN_ITERATIONS = 4096
/** A broker that asks for more wants to keep us busy: this is half a second. Kafka itself stores at most 16,384. */
const MAX_ITERATIONS = 1_000_000
const NONCE_BYTES = 24
/** `n,,`: no channel binding, no authorization id. */
const GS2_HEADER = 'n,,'

export interface ScramOptions {
  readonly hash: HashName
  readonly username: string
  readonly password: string
  /** The name is the id of a delegation token, and the password its HMAC (KIP-48). */
  readonly delegationToken: boolean
  readonly random: Pick<Random, 'bytes'>
}

export async function* scramExchange(options: ScramOptions): SaslExchange {
  const { hash } = options
  const nonce = Buffer.from(options.random.bytes(NONCE_BYTES)).toString('base64')
  const clientFirst = `n=${saslName(options.username)},r=${nonce}${options.delegationToken ? ',tokenauth=true' : ''}`

  const serverFirst = text(yield utf8(GS2_HEADER + clientFirst))
  const { combinedNonce, salt, iterations } = readServerFirst(serverFirst, nonce)

  const saltedPassword = await stretch(hash, utf8(options.password), { salt, iterations })
  const clientFinal = `c=${base64(utf8(GS2_HEADER))},r=${combinedNonce}`
  const exchanged = utf8(`${clientFirst},${serverFirst},${clientFinal}`)
  const clientKey = hmac(hash, saltedPassword, utf8('Client Key'))
  const signature = hmac(hash, digest(hash, clientKey), exchanged)
  const proof = clientKey.map((byte, at) => byte ^ signature[at]!)

  const serverFinal = text(yield utf8(`${clientFinal},p=${base64(proof)}`))
  const expected = hmac(hash, hmac(hash, saltedPassword, utf8('Server Key')), exchanged)
  checkServerFinal(serverFinal, expected)
}

interface ServerFirst {
  readonly combinedNonce: string
  readonly salt: Uint8Array
  readonly iterations: number
}

/** `r=<nonce>,s=<salt>,i=<iterations>`, maybe with extensions behind. */
function readServerFirst(message: string, clientNonce: string): ServerFirst {
  const [nonce = '', salt = '', iterations = ''] = message.split(',')
  if (nonce.startsWith('m='))
    throw authenticationFailed(`the broker wants an extension of SCRAM that is not known here: ${nonce}`)
  if (!nonce.startsWith('r=') || !/^s=[A-Za-z0-9+/]+={0,2}$/.test(salt) || !/^i=[1-9][0-9]*$/.test(iterations))
    throw authenticationFailed(`expected SCRAM's r=…,s=…,i=… from the broker, got ${JSON.stringify(cut(message))}`)
  const combinedNonce = nonce.slice(2)
  if (!combinedNonce.startsWith(clientNonce) || combinedNonce.length === clientNonce.length)
    throw authenticationFailed("the broker's SCRAM nonce does not continue ours: its answer is not to our request")
  const count = Number(iterations.slice(2))
  if (count < MIN_ITERATIONS || count > MAX_ITERATIONS) {
    throw authenticationFailed(
      `the broker asks for ${iterations.slice(2)} SCRAM iterations, accepted are ${MIN_ITERATIONS} to ${MAX_ITERATIONS}`,
    )
  }
  return { combinedNonce, salt: new Uint8Array(Buffer.from(salt.slice(2), 'base64')), iterations: count }
}

/** `v=<signature>` or `e=<error>`. */
function checkServerFinal(message: string, expected: Uint8Array): void {
  const [first = ''] = message.split(',')
  if (first.startsWith('e='))
    throw authenticationFailed(`the broker refused the SCRAM exchange: ${cut(first.slice(2))}`)
  if (!first.startsWith('v=') || !sameSecret(Buffer.from(first.slice(2), 'base64'), expected)) {
    throw authenticationFailed(
      'the broker did not prove that it knows the password: its SCRAM signature is wrong, so it may not be who it pretends to be',
    )
  }
}

/** RFC 5802 §5.1: comma and equals sign are escaped. */
function saslName(name: string): string {
  return name.replaceAll('=', '=3D').replaceAll(',', '=2C')
}

/** What goes into a message. */
function cut(value: string): string {
  return value.length > 200 ? `${value.slice(0, 200)}…` : value
}

function utf8(value: string): Uint8Array {
  return new TextEncoder().encode(value)
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes)
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}
