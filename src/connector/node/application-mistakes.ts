/**
 * From what went wrong on the way to an application to what a person has to put right.
 *
 * @module
 */
import {
  SignOnFailed,
  type ApplicationDetails,
  type SignOnFailureReason,
} from '../../protocol/internal.ts'
import { internalAddress } from '../internal-request.ts'
import { CONNECT_TIMEOUT } from './application-faults.ts'
import {
  codeOf,
  isCertificateWanted,
  isNotTls,
  isUnresolved,
  OUT_OF_TIME,
  UNTRUSTED,
  WRONG_NAME,
} from './failure-codes.ts'
import { NO_HTTP2, NO_PROTOCOL } from './http2-faults.ts'
import { machineMistake, type Mistake, type MistakeKind } from './told-mistakes.ts'

/** What has to be put right; `undefined`: nothing that is known, or what may pass by itself. */
export function applicationMistake(
  error: unknown,
  application: ApplicationDetails,
): Mistake | undefined {
  const code = codeOf(error)
  const { hostname, port, isSecure } = internalAddress(application)
  const where = `${hostname}:${port}`
  const { backendProtocol } = application
  const who = `application "${application.id}"`
  if (error instanceof SignOnFailed) return signOnMistake(error, application)
  const mistake = (
    kind: MistakeKind,
    message: string,
    setting = 'internalUrl',
    owner: Mistake['owner'] = 'application',
  ): Mistake => ({ kind, owner, setting, message })
  if (isUnresolved(code))
    return mistake(
      'application-name',
      `The name ${hostname} of ${who} cannot be resolved on this connector’s machine. Check "internalUrl" in the cloud’s configuration, or the name servers of this machine.`,
    )
  if (code === 'ECONNREFUSED')
    return mistake(
      'application-port',
      `Nothing accepts connections at ${where} of ${who}. Start the application, or mend "internalUrl" in the cloud’s configuration.`,
    )
  if (
    [
      'EHOSTUNREACH',
      'ENETUNREACH',
      'ETIMEDOUT',
      'UND_ERR_CONNECT_TIMEOUT',
      CONNECT_TIMEOUT,
    ].includes(code)
  )
    return mistake(
      'application-route',
      `${where} of ${who} cannot be reached from this connector’s machine (${code}). Check "internalUrl" in the cloud’s configuration, and firewalls between here and there.`,
    )
  if (UNTRUSTED.has(code) || OUT_OF_TIME.has(code) || code === WRONG_NAME)
    return mistake(
      'application-certificate',
      `The certificate of ${who} at ${where} is refused: ${CERTIFICATE[code] ?? 'its authority is not trusted by this connector'} (${code}). Give the application a certificate that holds, or name its authority to the connector ("ca" of its backend), or set "verifyCertificate" to false.`,
      'verifyCertificate',
    )
  if (isCertificateWanted(code))
    return mistake(
      'application-client-certificate',
      `${where} of ${who} does not take the certificate that this connector shows, or shows none (${code}). Name one that it takes in this connector’s own settings ("applicationTls").`,
      'applicationTls',
      'connector',
    )
  if (isNotTls(code))
    return mistake(
      'application-not-tls',
      `${where} of ${who} speaks no TLS. "internalUrl" in the cloud’s configuration must begin with http:, or name another port.`,
    )
  const isOfAlpn = NO_PROTOCOL.test(code)
  if (code === NO_HTTP2 || (isOfAlpn && backendProtocol === 'h2'))
    return mistake(
      'application-not-http2',
      `${where} of ${who} does not speak HTTP/2${isSecure ? ' by TLS' : ' in the clear'}, and "backendProtocol" in the cloud’s configuration says so. Set it to "${isSecure ? 'auto' : 'http1'}", or let the application speak it.`,
      'backendProtocol',
      'cloud',
    )
  if (isOfAlpn || isHttp2(error))
    return mistake(
      'application-http2',
      backendProtocol === undefined
        ? `${where} of ${who} speaks HTTP/2 only, as servers of gRPC do. Set "backendProtocol" to "${isSecure ? 'h2' : 'h2c'}" in the cloud’s configuration.`
        : `${where} of ${who} speaks neither HTTP/2 nor HTTP/1.1 by TLS. Let the application accept one of them.`,
      'backendProtocol',
      'cloud',
    )
  if (!isSecure && isTls(error))
    return mistake(
      'application-tls',
      `${where} of ${who} speaks TLS. "internalUrl" in the cloud’s configuration must begin with https:.`,
    )
  if (isUnanswered(error))
    return mistake(
      'application-closes',
      `${who[0]!.toUpperCase()}${who.slice(1)} at ${where} closes the connection without an answer. It may speak HTTP/2 only ("backendProtocol" says which is spoken to it), or TLS where "internalUrl" says http:; or it fails.`,
    )
  return machineMistake(code)
}

/** What a person has to put right of a sign-on; a single user's trouble is not told here. */
function signOnMistake(
  { reason, message }: SignOnFailed,
  { id, signOn }: ApplicationDetails,
): Mistake | undefined {
  const words = SIGN_ON[reason]
  if (words === undefined) return undefined
  const [owner, advice] = words
  return {
    kind: 'application-sign-on',
    owner,
    setting: 'signOn',
    message: `Users of application "${id}" cannot be signed on by "${signOn?.kind}": ${message}. ${advice}`,
  }
}

const SIGN_ON: Readonly<
  Record<SignOnFailureReason, readonly [owner: Mistake['owner'], advice: string] | undefined>
> = {
  'not-allowed-here': [
    'connector',
    'Allow it in this connector’s own settings, if the application really is there.',
  ],
  'user-unknown': undefined,
  'user-refused': undefined,
  'not-delegated': ['connector', 'Let this connector’s account act for users towards the service.'],
  'service-unknown': ['connector', 'Check the service’s name, and that it is registered.'],
  unavailable: ['connector', 'Check what vouches for users, and the way to it.'],
  timeout: undefined,
  'credentials-expired': ['connector', 'Renew the credentials of this connector.'],
  'secret-missing': undefined,
  'assertion-refused': [
    'connector',
    'Check the keys that this connector was given, and the cloud’s.',
  ],
  rejected: ['application', 'Look at what the application says of it.'],
  misconfigured: ['cloud', 'Check "signOn" in the cloud’s configuration.'],
}

const CERTIFICATE: Readonly<Record<string, string>> = {
  [WRONG_NAME]: 'it is for other names',
  CERT_HAS_EXPIRED: 'it has expired, by this machine’s clock',
  CERT_NOT_YET_VALID: 'it is not valid yet, by this machine’s clock',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'it is signed by itself',
  CERT_REVOKED: 'it is revoked',
}

/** The octets that a parser of HTTP/1.1 stumbled over. */
function octetsOf(error: unknown): Uint8Array | undefined {
  const { rawPacket, data } = (error ?? {}) as { rawPacket?: unknown; data?: unknown }
  if (rawPacket instanceof Uint8Array) return rawPacket
  return typeof data === 'string' ? Buffer.from(data, 'latin1') : undefined
}

/** A connection of HTTP/2 begins with a SETTINGS frame on stream 0 (RFC 9113 §3.4). */
export function isHttp2(error: unknown): boolean {
  const octets = octetsOf(error)
  return (
    octets !== undefined &&
    octets.length >= 9 &&
    octets[0] === 0 &&
    octets[3] === 4 &&
    octets[2]! % 6 === 0 &&
    octets.subarray(5, 9).every((octet) => octet === 0)
  )
}

/** A TLS alert, which is what HTTP gets on such a port (RFC 8446 §5.1). */
function isTls(error: unknown): boolean {
  const octets = octetsOf(error)
  return octets !== undefined && octets[0] === 0x15 && octets[1] === 3
}

function isUnanswered(error: unknown): boolean {
  const { message = '' } = (error ?? {}) as { message?: string }
  return /^(closed without an answer|other side closed|read ECONNRESET|socket hang up|closed)$/.test(
    message,
  )
}
