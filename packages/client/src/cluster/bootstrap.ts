/** The addresses that a client begins with. */
import type { Address } from '@millrace/runtime'

const NAMED = /^(?:[a-z0-9_]+:\/\/)?(?:\[([0-9a-f:.]+(?:%[\w.-]+)?)\]|([^\s:[\]/]+)):(\d{1,5})$/i

/**
 * The addresses in `host:port` texts; several may share a text, separated by commas. IPv6 is in brackets.
 * @throws TypeError naming what cannot be read.
 */
export function bootstrapAddresses(brokers: string | readonly string[]): readonly Address[] {
  const texts = (typeof brokers === 'string' ? [brokers] : brokers).flatMap((text) => text.split(','))
  const addresses = texts
    .map((text) => text.trim())
    .filter((text) => text !== '')
    .map(addressFrom)
  if (addresses.length === 0) throw new TypeError('brokers: names no address; expected "host:port"')
  return addresses
}

function addressFrom(text: string): Address {
  const parts = NAMED.exec(text)
  const port = Number(parts?.[3])
  if (parts === null || port < 1 || port > 65_535)
    throw new TypeError(
      `brokers: ${JSON.stringify(withoutUser(text))} is not an address; expected "host:port", as in "localhost:9092"`,
    )
  return { host: (parts[1] ?? parts[2])!, port }
}

/** As in a URL, whose password is not to be shown. */
function withoutUser(text: string): string {
  return text.replace(/^.*@/, '…@')
}
