/** PLAIN (RFC 4616): name and password in one token. No authorization id, as in Kafka's client: who logs in is who acts. */

import { authenticationFailed } from './exchange.ts'
import type { SaslExchange } from './exchange.ts'

export interface PlainOptions {
  readonly username: string
  readonly password: string
}

export async function* plainExchange({ username, password }: PlainOptions): SaslExchange {
  if (username.includes('\0') || password.includes('\0'))
    throw authenticationFailed('PLAIN cannot carry a name or password with a zero character')
  yield new TextEncoder().encode(`\0${username}\0${password}`)
}
