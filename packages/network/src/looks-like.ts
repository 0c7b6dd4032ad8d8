/** What speaks when the first four bytes of a connection are no length. */

const HTTP_STARTS = ['GET ', 'POST', 'PUT ', 'HEAD', 'DELE', 'OPTI', 'CONN', 'PATC', 'TRAC', 'PRI ', 'HTTP']
const TLS_HANDSHAKE = 0x1603

/** `length`: the first four bytes as int32. null when unknown. */
export function looksLike(length: number): string | null {
  if (length >>> 16 === TLS_HANDSHAKE) return 'TLS, and this listener is not encrypted'
  const text = String.fromCharCode(length >>> 24, (length >>> 16) & 0xff, (length >>> 8) & 0xff, length & 0xff)
  return HTTP_STARTS.includes(text) ? 'HTTP' : null
}
