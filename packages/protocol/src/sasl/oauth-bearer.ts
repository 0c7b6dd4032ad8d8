/** OAUTHBEARER (RFC 7628, KIP-255) with Kafka's extensions (KIP-342). */

import { authenticationFailed } from './exchange.ts'
import type { SaslExchange } from './exchange.ts'

const SEPARATOR = '\u0001'
/** What the server reads as a token: RFC 6750's b64token. */
const TOKEN = /^[-_~+/.a-zA-Z0-9]+=*$/
/** RFC 7628 §3.1. */
const EXTENSION_NAME = /^[A-Za-z]+$/
const EXTENSION_VALUE = /^[\x21-\x7e \t\r\n]+$/

export interface OAuthBearerOptions {
  readonly token: string
  readonly extensions: Readonly<Record<string, string>>
}

export async function* oauthBearerExchange({ token, extensions }: OAuthBearerOptions): SaslExchange {
  // The token itself is a secret: it is in no message.
  if (!TOKEN.test(token))
    throw authenticationFailed('the OAUTHBEARER token is empty or has characters no token may have')
  let message = `n,,${SEPARATOR}auth=Bearer ${token}${SEPARATOR}`
  for (const [name, value] of Object.entries(extensions)) {
    if (name === 'auth' || !EXTENSION_NAME.test(name) || !EXTENSION_VALUE.test(value)) {
      throw authenticationFailed(
        `extension ${JSON.stringify(name)}: its name may have letters only and not be auth, its value printable characters only`,
      )
    }
    message += `${name}=${value}${SEPARATOR}`
  }
  const answer = yield new TextEncoder().encode(message + SEPARATOR)
  if (answer.length === 0) return
  // What was wrong, as JSON. The server waits for one more token before it refuses (RFC 7628 §3.2.3); with Kafka that refusal is an error
  // code, and this is never resumed.
  yield Uint8Array.of(1)
  throw authenticationFailed(`the broker refused the token: ${reasonIn(answer)}`)
}

/** `{"status":"invalid_token","scope":…}`; as it came when it is something else. */
function reasonIn(answer: Uint8Array): string {
  const json = new TextDecoder().decode(answer)
  return json.length > 500 ? `${json.slice(0, 500)}…` : json
}
