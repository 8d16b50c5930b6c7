/**
 * Whether a user's connection may switch to another protocol, and who may ask for it.
 *
 * @see spec/PROTOCOL.md, "Targets, headers and the user's side"; RFC 9110 §7.8; RFC 6455 §10.2
 * @module
 */
import {
  ExchangeFailed,
  headerValue,
  headerValues,
  isToken,
  trimBlanks,
  type HeaderList,
} from '../../protocol/internal.ts'
import type { Published } from '../directory/published.ts'
import { isGrpc } from '../pages/grpc-answer.ts'
import { OWN_ANSWERS } from '../pages/own-answers.ts'
import type { EdgeRequest } from './edge-request.ts'
import type { UserRequestHead } from './user-exchange.ts'

/**
 * The protocols of the user's `Upgrade` that are passed on. HTTP itself and TLS are left out:
 * requests inside such a tunnel would escape the decision made for each request. An upgrade may be
 * ignored (RFC 9110 section 7.8), and the request goes on as an ordinary one.
 */
export function upgradeWish({ upgrade, httpVersion }: UserRequestHead): string | undefined {
  if (upgrade === undefined || httpVersion === '1.0') return undefined
  const wish = protocolsOf(upgrade).filter((protocol) => !NEVER.test(protocol))
  return wish.length === 0 ? undefined : wish.join(', ')
}

const NEVER = /^(?:h2c?|h3|http|tls)(?:\/|$)/i

/** A WebSocket that this connection cannot become: there is no other answer for it than that. */
export function isUnmetWebSocket({ headers }: UserRequestHead): boolean {
  if (headerValue(headers, 'upgrade')?.toLowerCase() !== 'websocket') return false
  return headerValues(headers, 'connection').join(',').toLowerCase().includes('upgrade')
}

/** Whether a 101 names protocols of the wish, and nothing else. */
export function isGranted(headers: HeaderList, wish: string): boolean {
  const asked = new Set(protocolsOf(wish.toLowerCase()))
  const granted = protocolsOf(headerValues(headers, 'upgrade').join(',').toLowerCase())
  return granted.length > 0 && granted.every((protocol) => asked.has(protocol))
}

/**
 * Browsers let any page open a WebSocket to anywhere, with the user's cookies, and say in `Origin`
 * whose page it is. Where a cookie says who the user is, only pages of the application's own host,
 * and of its `allowedOrigins`, may.
 *
 * @throws ExchangeFailed `origin-refused`; also when there is no `Origin`, or more than one
 */
export function checkOrigin({ headers }: UserRequestHead, application: Published): void {
  const [origin, ...more] = headerValues(headers, 'origin')
  if (origin === undefined || more.length > 0 || !application.allows(origin))
    throw new ExchangeFailed('user', 'origin-refused')
}

/** Members of an `Upgrade` list: `token` or `token/token`. */
function protocolsOf(list: string): string[] {
  return list
    .split(',')
    .map(trimBlanks)
    .filter((protocol) => {
      const slash = protocol.indexOf('/')
      if (slash === -1) return isToken(protocol)
      return isToken(protocol.slice(0, slash)) && isToken(protocol.slice(slash + 1))
    })
}

/** A call of gRPC to an application of HTTP/2 is told that it must come by HTTP/2 itself. */
export function answerHttp1(
  request: Pick<EdgeRequest, 'head' | 'answer'>,
  { application }: Published,
): boolean {
  const { httpVersion, headers } = request.head
  if (application.backendProtocol === undefined || httpVersion === '2' || !isGrpc(headers))
    return false
  request.answer(OWN_ANSWERS['http2-required'])
  return true
}
