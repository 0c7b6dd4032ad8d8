import { digest, hmac, sameSecret, stretch } from '@millrace/runtime'
import type { HashName } from '@millrace/runtime'

export interface ScramServerOptions {
  readonly hash: HashName
  readonly password: string
  readonly iterations?: number
  /** What the first message of the client was, for the test to look at. */
  readonly onClientFirst?: (message: string) => void
}

const utf8 = (value: string): Uint8Array => new TextEncoder().encode(value)
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')

/** The other side of `scramExchange`, written from RFC 5802: is given tokens, yields answers, throws when the password is wrong. */
export async function* scramServer(options: ScramServerOptions): AsyncGenerator<Uint8Array, void, Uint8Array> {
  const { hash } = options
  const first = Buffer.from(yield utf8('')).toString()
  options.onClientFirst?.(first)
  const bare = /^n,,(.*)$/s.exec(first)![1]!
  const nonce = `${/(?:^|,)r=([^,]+)/.exec(bare)![1]!}continued`
  const salt = utf8('salt of the test')
  const iterations = options.iterations ?? 4096
  const serverFirst = `r=${nonce},s=${base64(salt)},i=${iterations}`

  const final = Buffer.from(yield utf8(serverFirst)).toString()
  const [withoutProof, proof] = final.split(',p=') as [string, string]
  const salted = await stretch(hash, utf8(options.password), { salt, iterations })
  const exchanged = utf8(`${bare},${serverFirst},${withoutProof}`)
  const storedKey = digest(hash, hmac(hash, salted, utf8('Client Key')))
  const signature = hmac(hash, storedKey, exchanged)
  const clientKey = new Uint8Array(Buffer.from(proof, 'base64')).map((byte, at) => byte ^ signature[at]!)
  if (withoutProof !== `c=biws,r=${nonce}` || !sameSecret(digest(hash, clientKey), storedKey))
    throw new Error('the proof is wrong')
  yield utf8(`v=${base64(hmac(hash, hmac(hash, salted, utf8('Server Key')), exchanged))}`)
}
