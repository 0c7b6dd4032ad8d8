/** What speaks when the first four bytes of a connection are no length. */

const HTTP_STARTS = ['GET ', 'POST', 'PUT ', 'HEAD', 'DELE', 'OPTI', 'CONN', 'PATC', 'TRAC', 'PRI ', 'HTTP']
const TLS_HANDSHAKE = 0x1603
/** What a TLS server says to whoever does not speak TLS. */
const TLS_ALERT = 0x1503

/** `length`: the first four bytes as int32. null when unknown. */
export function looksLike(length: number): string | null {
  if (length >>> 16 === TLS_HANDSHAKE) return 'TLS, and this listener is not encrypted'
  if (length >>> 16 === TLS_ALERT) return 'TLS: if it is a TLS port, set ssl: true'
  const text = String.fromCharCode(length >>> 24, (length >>> 16) & 0xff, (length >>> 8) & 0xff, length & 0xff)
  if (HTTP_STARTS.includes(text)) return 'HTTP'
  return /^[\x20-\x7e]{4}$/.test(text) ? `the text ${JSON.stringify(text)}` : null
}
