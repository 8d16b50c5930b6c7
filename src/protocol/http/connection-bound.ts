/**
 * Authentication that is bound to a connection instead of to one message: after it, everything that
 * comes on the same connection counts as the same user's. NTLM and Negotiate work so, and their
 * relatives. A connection that saw it must not be shared.
 *
 * @see RFC 4559, section 6; RFC 9110, section 11.2 and 7.1
 * @module
 */
import type { HeaderList } from '../wire/frame-types.ts'
import { FoldedNames } from './header-list.ts'

/** Fields that name a scheme: as credentials, as a challenge, or as the end of a handshake. */
export const SCHEME_FIELDS: readonly string[] = [
  'authorization',
  'proxy-authorization',
  'www-authenticate',
  'proxy-authenticate',
  'authentication-info',
  'proxy-authentication-info',
]

/** Fields that speak of nothing but authentication that lasts as long as the connection. */
export const SESSION_FIELDS: readonly string[] = ['persistent-auth', 'proxy-support']

const FIELDS = new FoldedNames([...SCHEME_FIELDS, ...SESSION_FIELDS])
const SESSIONS = new FoldedNames(SESSION_FIELDS)

/**
 * Anywhere in the value, in a list of challenges as well. What begins so counts as well: `Nego2`,
 * `NegoExts`, `NTLMSSP`.
 */
const SCHEME = /(?:^|[^0-9a-z])(?:ntlm|nego|spnego|kerberos|credssp)/i

/**
 * Whether the header or trailer list of a request or an answer shows authentication that is bound
 * to its connection. Then that connection carries this one exchange only. Rather too often than too
 * seldom: the price of an error is one connection more.
 */
export function bindsConnection(headers: HeaderList): boolean {
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!
    if (FIELDS.has(name) && (SESSIONS.has(name) || namesScheme(headers[i + 1]!))) return true
  }
  return false
}

function namesScheme(value: string): boolean {
  // One scheme and its octets, as nearly always: a long token needs no search.
  const blank = value.indexOf(' ')
  const isPair =
    blank > 0 &&
    value.indexOf(' ', blank + 1) < 0 &&
    value.indexOf(',', blank) < 0 &&
    value.indexOf('\t', blank) < 0
  return SCHEME.test(isPair ? value.slice(0, blank + 16) : value)
}
