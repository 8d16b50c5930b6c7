/**
 * The request header list as the connector gets it.
 *
 * Order matters: what belongs to the connection goes first, then what only a gateway may say, then our cookies; only
 * then is our own word added. So nothing a user sends can remove or imitate it.
 *
 * @see spec/PROTOCOL.md, "Headers"; RFC 7239; RFC 9110 §7.6.3
 * @module
 */
import {
  reservedNames,
  sanitiseRequest,
  withoutCookies,
  withoutHeaders,
  type HeaderList,
  type UserClaims,
} from '../protocol/index.ts'
import { isOwnCookie } from './cookies.ts'
import type { Application } from './ports.ts'
import type { UserRequestHead } from './user-exchange.ts'

/** Header fields that make one logical line of our own: what we add to a user's list. */
export function offeredHeaders(
  head: UserRequestHead,
  application: Application,
  claims: UserClaims | undefined,
): HeaderList {
  const reserved = reservedNames(Object.keys(application.identityHeaders))
  const sanitised = withoutCookies(sanitiseRequest(head.headers, reserved), isOwnCookie)
  return [
    // `Expect` is answered here, by the pull; `Host` is the connector's to set.
    ...withoutHeaders(sanitised, 'host', 'expect'),
    ...forwarding(head, application),
    ...identity(application, claims),
  ]
}

function forwarding(head: UserRequestHead, { externalUrl }: Application): HeaderList {
  const { host, protocol } = new URL(externalUrl)
  const proto = protocol.slice(0, -1)
  const address = head.remoteAddress.replace(/^::ffff:/, '')
  const node = address.includes(':') ? `"[${address}]"` : address
  return [
    ...['Forwarded', `for=${node};host="${host}";proto=${proto}`],
    ...['X-Forwarded-For', address],
    ...['X-Forwarded-Host', host],
    ...['X-Forwarded-Proto', proto],
    ...['Via', `${head.httpVersion} app-proxy`],
  ]
}

function identity(application: Application, claims: UserClaims | undefined): HeaderList {
  if (claims === undefined) return []
  return Object.entries(application.identityHeaders).flatMap(([name, claim]) => {
    const value = claims[claim]
    if (value === undefined) return []
    return [name, octets(typeof value === 'string' ? value : value.join(','))]
  })
}

/** UTF-8, as octets in a header value; without what could end the line. */
function octets(text: string): string {
  let value = ''
  for (const octet of new TextEncoder().encode(text)) {
    value += octet < 0x20 || octet === 0x7f ? ' ' : String.fromCharCode(octet)
  }
  return value
}
