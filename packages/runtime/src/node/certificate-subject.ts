/** Names of certificates as Kafka's principals have them: RFC 2253 as Java writes it. */

import type { TLSSocket } from 'node:tls'

/** Java names only the attribute types of RFC 2253; this other frequent one it writes as number and encoded value (an IA5String). */
const EMAIL_ADDRESS = 'emailAddress='

/** The subject of the peer's certificate, most specific part first: `CN=orders,O=Example\, Inc.,C=DE`. null without a certificate. */
export function subjectOf(socket: TLSSocket): string | null {
  const certificate = socket.getPeerX509Certificate()
  return certificate === undefined ? null : rfc2253(certificate.subject)
}

/** `subject`: OpenSSL's form, one part a line, most general first, values escaped as RFC 2253 wants. */
export function rfc2253(subject: string): string {
  const parts = subject.split('\n').filter((line) => line !== '')
  return parts
    .reverse()
    .map((part) =>
      part
        .split(' + ')
        .map((attribute) => (attribute.startsWith(EMAIL_ADDRESS) ? encodedEmail(attribute) : attribute))
        .join('+'),
    )
    .join(',')
}

function encodedEmail(attribute: string): string {
  const value = Buffer.from(attribute.slice(EMAIL_ADDRESS.length), 'latin1')
  // Longer than 127 bytes the length takes more than one byte, and an address that long is beyond RFC 5321's limit anyway.
  if (value.length > 127) return attribute
  return `1.2.840.113549.1.9.1=#16${value.length.toString(16).padStart(2, '0')}${value.toString('hex')}`
}
