/** What the codes of Node and OpenSSL mean for those who configure TLS. */

export interface TlsHint {
  /** What is wrong, and what to do. */
  readonly text: string
  /** It stays wrong however often one tries. */
  readonly isFinal: boolean
}

const AUTHORITY =
  "the broker's certificate comes from an authority that is not trusted here: give the authority's certificate as ssl.ca"
const UNTRUSTED = "the broker's certificate is not to be trusted"
const REFUSED = 'the broker refused the TLS handshake'

/** What stays wrong until somebody changes it. */
const final: Readonly<Record<string, string | undefined>> = {
  CERT_HAS_EXPIRED: "the broker's certificate has expired, and has to be renewed on the broker",
  CERT_NOT_YET_VALID: "the broker's certificate is not valid yet: check the clocks of both machines",
  CERT_REVOKED: UNTRUSTED,
  CERT_SIGNATURE_FAILURE: UNTRUSTED,
  CERT_UNTRUSTED: AUTHORITY,
  DEPTH_ZERO_SELF_SIGNED_CERT: "the broker's certificate is signed by itself. If you trust it, give it as ssl.ca",
  SELF_SIGNED_CERT_IN_CHAIN: AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT: AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: AUTHORITY,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: AUTHORITY,
  ERR_TLS_CERT_ALTNAME_INVALID:
    "the broker's certificate is for another name: connect by a name that is in it, or give that name as ssl.serverName",
  ERR_SSL_WRONG_VERSION_NUMBER:
    'what answers there does not speak TLS. If it is a plaintext port, leave out ssl; else check that a Kafka broker listens there',
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: `${REFUSED}: it has no version of TLS in common with Node`,
}

/** What may also be a broker that is stopping or starting. */
const passing: Readonly<Record<string, string | undefined>> = {
  ERR_TLS_HANDSHAKE_TIMEOUT:
    'it accepts connections, but does not speak TLS in time. If it is a plaintext port, leave out ssl',
  ECONNRESET: 'the connection was closed during the TLS handshake. If it is a plaintext port, leave out ssl',
  EPIPE: 'the connection was closed during the TLS handshake. If it is a plaintext port, leave out ssl',
}

/** null for a code that is not known to have to do with TLS. */
export function tlsHint(code: string): TlsHint | null {
  const text = final[code] ?? finalOfFamily(code)
  if (text !== null) return { text, isFinal: true }
  const other = passing[code] ?? (isAlert(code) ? REFUSED : null)
  return other === null ? null : { text: other, isFinal: false }
}

/** By an alert a broker says what it does not like about us. */
export function isAlert(code: string): boolean {
  return /^ERR_SSL_.*_ALERT_/.test(code)
}

function finalOfFamily(code: string): string | null {
  if (/^ERR_(OSSL|CRYPTO)_/.test(code))
    return 'ssl.ca, ssl.certificate, ssl.key or ssl.passphrase is wrong: PEM texts are expected, not files, JKS or PKCS#12'
  if (!isAlert(code)) return null
  if (/_(CERTIFICATE_REQUIRED|BAD_CERTIFICATE|HANDSHAKE_FAILURE)$/.test(code))
    return `${REFUSED}. If it asks for client certificates, set ssl.certificate and ssl.key`
  if (/_(UNKNOWN_CA|CERTIFICATE_UNKNOWN|CERTIFICATE_EXPIRED|UNSUPPORTED_CERTIFICATE)$/.test(code))
    return `${REFUSED}: it does not trust the certificate in ssl.certificate. Its authority has to be in the broker's truststore`
  return null
}
