/**
 * A secret that the connector shows to an application, where it may go, and the header field that
 * it becomes.
 *
 * @module
 */
import {
  foldName,
  HOP_BY_HOP,
  isFieldValue,
  isForwardingFamily,
  isToken,
  reservedNames,
  trimBlanks,
} from '../../protocol/internal.ts'

/** Where a secret may go. */
export interface SecretPlaces {
  /**
   * Internal origins, exact (`https://wiki.corp.example:8443`) or of every host below one
   * (`https://*.corp.example`). It goes nowhere else, whatever the cloud says.
   */
  readonly origins: readonly string[]
  /** Whether it may go to origins of `http:`, for all on the way to read. Default false. */
  readonly allowHttp?: boolean | undefined
}

/** A user and a password (RFC 7617), in UTF-8. */
export interface BasicSecret {
  readonly form: 'basic'
  readonly username: string
  readonly password: string
}

/** A token or an API key in `Authorization: Bearer` (RFC 6750). */
export interface BearerSecret {
  readonly form: 'bearer'
  readonly token: string
}

/** The value of any header field. */
export interface HeaderSecret {
  readonly form: 'header'
  readonly header: string
  readonly value: string
  /**
   * A 401 of the application: `refuse`: the secret was not taken, and the user gets
   * `sign-on-failed`; `pass`: it is for the user, whom the application signs in by itself. Default
   * `refuse`.
   */
  readonly unauthorized?: 'refuse' | 'pass' | undefined
}

/** A secret, and where it may go. */
export type InjectedSecret = SecretPlaces & (BasicSecret | BearerSecret | HeaderSecret)

/** The header field that a secret becomes. */
export interface InjectedField {
  readonly name: string
  readonly value: string
  /** Whether a 401 says that the application did not take it. */
  readonly isRefusedBy401: boolean
}

/** The field of a secret that {@link secretFault} finds nothing wrong with. */
export function fieldOf(secret: InjectedSecret): InjectedField {
  const isRefusedBy401 = secret.form !== 'header' || secret.unauthorized !== 'pass'
  if (secret.form === 'header') return { name: secret.header, value: secret.value, isRefusedBy401 }
  const credentials =
    secret.form === 'bearer'
      ? `Bearer ${secret.token}`
      : `Basic ${base64(`${secret.username}:${secret.password}`)}`
  return { name: 'Authorization', value: credentials, isRefusedBy401 }
}

/** What of a secret is wrong, and how, in words that quote nothing. */
export type SecretFault = readonly [member: string, detail: string]

/** `undefined`: a header field can carry it. */
export function secretFault(
  secret: BasicSecret | BearerSecret | HeaderSecret,
): SecretFault | undefined {
  if (secret.form === 'basic') {
    if (CONTROL.test(secret.username) || secret.username.includes(':'))
      return ['username', 'must have neither a colon nor control characters']
    return CONTROL.test(secret.password)
      ? ['password', 'must have no control characters']
      : undefined
  }
  if (secret.form === 'bearer')
    return TOKEN68.test(secret.token)
      ? undefined
      : ['token', 'must have letters, digits, "-", ".", "_", "~", "+" and "/" only, "=" at its end']
  const fault = headerFault(secret.header)
  if (fault !== undefined) return ['header', fault]
  const isValue = secret.value !== '' && isFieldValue(secret.value)
  return isValue && trimBlanks(secret.value) === secret.value
    ? undefined
    : ['value', 'must be what a header field can carry, without blanks at its edges']
}

/** What is wrong with the name of a header for a secret; it quotes nothing. */
export function headerFault(name: string): string | undefined {
  if (!isToken(name)) return 'is no header name'
  if (isForwardingFamily(name) || TAKEN.has(name) || name.startsWith(':'))
    return 'has a meaning already: a secret cannot stand there'
  return foldName(name) === 'authorization' && name.toLowerCase() !== 'authorization'
    ? 'is another spelling of "Authorization"'
    : undefined
}

const CONTROL = /[\0-\x1f\x7f-\x9f]/
/** RFC 6750 §2.1 */
const TOKEN68 = /^[A-Za-z0-9\-._~+/]+=*$/

/** What HTTP itself, the gateway and the application's own sessions need. */
const TAKEN = reservedNames([
  ...HOP_BY_HOP,
  ...['accept', 'accept-charset', 'accept-encoding', 'accept-language', 'content-encoding'],
  ...['content-length', 'content-type', 'cookie', 'expect', 'host', 'origin', 'range', 'referer'],
  ...['sec-websocket-extensions', 'sec-websocket-key', 'sec-websocket-version', 'via'],
])

function base64(text: string): string {
  let octets = ''
  for (const octet of new TextEncoder().encode(text)) octets += String.fromCharCode(octet)
  return btoa(octets)
}
