/**
 * The host of a request, before there is an application.
 *
 * @module
 */
import { canonicalHost, ExchangeFailed, isNamed } from '../../protocol/internal.ts'
import type { UserRequestHead } from '../request/user-exchange.ts'

/**
 * The failure for a host that publishes nothing. A valid name is an unknown application; an invalid
 * one is a malformed request. HTTP/1.0 may leave the host out.
 */
export function unknownHost(head: UserRequestHead): ExchangeFailed {
  checkHost(head)
  const { authority, httpVersion } = head
  const isNone = authority === '' && httpVersion === '1.0'
  if (isNone || canonicalHost(authority) !== undefined)
    return new ExchangeFailed('user', 'unknown-application')
  return new ExchangeFailed('user', 'user-malformed', { cause: 'no valid host' })
}

/** One host, said once: over HTTP/2 a `Host` field may come beside `:authority`. */
export function checkHost({ headers, authority }: UserRequestHead): void {
  let hosts = 0
  for (let i = 0; i < headers.length; i += 2) {
    if (!isNamed(headers[i]!, 'host')) continue
    hosts += 1
    const host = headers[i + 1]!
    if (hosts > 1 || (host !== authority && canonicalHost(host) !== canonicalHost(authority)))
      throw new ExchangeFailed('user', 'user-malformed', { cause: 'more than one host' })
  }
}
