/**
 * The codes by which Node, its libraries and OpenSSL say why a connection could not be made.
 *
 * @module
 */

/** Codes of a machine that has no more to give. */
export const EXHAUSTED: ReadonlySet<string> = new Set([
  'EMFILE',
  'ENFILE',
  'ENOBUFS',
  'ENOMEM',
  'EADDRNOTAVAIL',
])

/** OpenSSL's and Node's codes for a certificate that is not trusted. */
export const UNTRUSTED: ReadonlySet<string> = new Set([
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'CERT_REJECTED',
  'CERT_REVOKED',
  'CERT_CHAIN_TOO_LONG',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'PATH_LENGTH_EXCEEDED',
])
/** … and for one whose time has not come, or is over. */
export const OUT_OF_TIME: ReadonlySet<string> = new Set(['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID'])
export const WRONG_NAME = 'ERR_TLS_CERT_ALTNAME_INVALID'

/** A name that the machine's name servers do not know, or they do not answer. */
export function isUnresolved(code: string): boolean {
  return code === 'ENOTFOUND' || code.startsWith('EAI_')
}

/** A server that ends a TLS handshake over the certificate that it was shown, or was not. */
export function isCertificateWanted(code: string): boolean {
  return /_ALERT_(?:HANDSHAKE_FAILURE|(?:BAD|UNSUPPORTED)_CERTIFICATE|CERTIFICATE_(?:REQUIRED|REVOKED|EXPIRED|UNKNOWN)|UNKNOWN_CA|ACCESS_DENIED)$/.test(
    code,
  )
}

/** A server that answers a TLS handshake with something else. */
export function isNotTls(code: string): boolean {
  return (
    code === 'EPROTO' ||
    /^ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST|BAD_RECORD_TYPE|UNEXPECTED_MESSAGE|RECORD_LAYER_FAILURE)$/.test(
      code,
    )
  )
}

/** The code of what was thrown; of several tries at once, that of all. */
export function codeOf(error: unknown): string {
  const { code, cause } = (error ?? {}) as { code?: unknown; cause?: unknown }
  if (typeof code === 'string') return code
  return cause === undefined ? '' : codeOf(cause)
}
