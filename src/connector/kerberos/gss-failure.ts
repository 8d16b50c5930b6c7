/**
 * What GSSAPI says when it fails, and what that means for a sign-on.
 *
 * The numbers of its second status differ from process to process (the library renumbers what
 * several mechanisms use); the words do not. They are the Kerberos library's own, in English as
 * long as nobody has chosen a language for C, which Node does not.
 *
 * @module
 */
import { AppProxyError } from '../../protocol/wire/errors.ts'

/** Which step failed: the same words mean other things at another one. */
export type GssStep = 'account' | 'user' | 'service' | 'answer'

/** Why, by the names that a sign-on has for it. */
export type GssReason =
  | 'user-unknown'
  | 'user-refused'
  | 'not-delegated'
  | 'service-unknown'
  | 'unavailable'
  | 'credentials-expired'
  | 'rejected'
  | 'misconfigured'

/** A call of the library that came to nothing. */
export class GssFailure extends AppProxyError {
  override readonly name = 'GssFailure'
  readonly code = 'ERR_PORT_FAILED'
  /** The first status, whose upper half says that it is an error. */
  readonly major: number
  /** The library's words: names of principals and files may be among them, secrets are not. */
  readonly said: readonly string[]

  constructor(call: string, major: number, said: readonly string[]) {
    super(`${call}: ${said.join(': ') || `status 0x${major.toString(16)}`}`)
    this.major = major
    this.said = said
  }
}

/** Whether the first status is an error (RFC 2744, section 3.9.1). */
export const isError = (major: number): boolean => major >>> 16 !== 0

const ROUTINE_ERROR = 0x00ff0000

/** `GSS_S_CREDENTIALS_EXPIRED` and `GSS_S_CONTEXT_EXPIRED` (RFC 2744, section 3.9.1). */
const EXPIRED: ReadonlySet<number> = new Set([11 << 16, 12 << 16])

type Meanings = readonly (readonly [words: RegExp, reason: GssReason])[]

/** Of the network and this machine: whatever is asked. */
const ANYWHERE: Meanings = [
  [/cannot (?:contact|find|resolve|locate).*\bkdc\b|cannot resolve/i, 'unavailable'],
  [/service (?:is )?(?:temporarily )?unavailable|\btry again\b|try again later/i, 'unavailable'],
  [/clock skew|time is bad|ticket not yet valid/i, 'misconfigured'],
  [/encryption type|no supported encryption|wrong principal|cannot find key/i, 'misconfigured'],
]

// prettier-ignore
const MEANINGS: Readonly<Record<GssStep, Meanings>> = {
  // The connector's own account, by its keytab.
  account: [
    [/entry in database has expired|password has expired|credentials have been revoked|ticket expired/i, 'credentials-expired'],
  ],
  // S4U2Self: for whom.
  user: [
    [/ticket expired|credential has expired/i, 'credentials-expired'],
    [/client not found/i, 'user-unknown'],
    [/client.* (?:has expired|been revoked)|password has expired|client not yet valid|policy rejects/i, 'user-refused'],
    [/can't fulfill requested option|not allowed to|badoption/i, 'not-delegated'],
  ],
  // S4U2Proxy: towards what.
  service: [
    [/ticket expired|credential has expired/i, 'credentials-expired'],
    [/server not found|service.* (?:has expired|not yet valid)/i, 'service-unknown'],
    [/client.* (?:has expired|been revoked)|client not found/i, 'user-refused'],
    [/can't fulfill requested option|policy rejects|not forwardable|not allowed to|badoption/i, 'not-delegated'],
  ],
  // What the application said of itself.
  answer: [],
}

/** What is meant where nothing of it is known. */
const OTHERWISE: Readonly<Record<GssStep, GssReason>> = {
  account: 'misconfigured',
  user: 'unavailable',
  service: 'unavailable',
  answer: 'rejected',
}

/** Why a step failed. */
export function reasonOf(step: GssStep, { major, said }: GssFailure): GssReason {
  const words = said.join('\n')
  const meanings = step === 'answer' ? [] : [...MEANINGS[step], ...ANYWHERE]
  const found = meanings.find(([pattern]) => pattern.test(words))
  if (found !== undefined) return found[1]
  if (EXPIRED.has(major & ROUTINE_ERROR)) return 'credentials-expired'
  return OTHERWISE[step]
}
