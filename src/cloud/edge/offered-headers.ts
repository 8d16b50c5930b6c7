/**
 * The request header list as the connector gets it.
 *
 * Order matters: what belongs to the connection goes first, then what only a gateway may say, then
 * our cookies; only then is our own word added. So nothing a user sends can remove or imitate it.
 * One pass does it all, because it is done for every request.
 *
 * @see spec/PROTOCOL.md, "Targets, headers and the user's side"; RFC 7239; RFC 9110 §7.6.3
 * @module
 */
import {
  ExchangeFailed,
  FoldedNames,
  isForwardingFamily,
  isNamed,
  nominatedNames,
  sanitiseTrailers,
  headersFault,
  withoutOurPairs,
  type HeaderList,
} from '../../protocol/internal.ts'
import { isOwnCookie } from '../directory/cookies.ts'
import type { Published } from '../directory/published.ts'
import { TRANSLATED_REQUEST_FIELDS } from '../directory/translate-configuration.ts'
import type { Caller } from '../identity/caller.ts'
import { isBeyond, MAX_OFFERED_BYTES } from './request-limits.ts'
import type { ExchangeTranslation } from '../translate/exchange-translation.ts'
import type { UserRequestHead } from '../request/user-exchange.ts'

/** What of a user's head matters here. */
type Head = Pick<UserRequestHead, 'headers' | 'httpVersion'>

/**
 * The header fields of an offer: what is left of the user's, then our own. `address`: the user's,
 * in canonical form.
 */
export function offeredHeaders(
  { headers, httpVersion }: Head,
  address: string,
  application: Published,
  caller: Caller,
  translation?: ExchangeTranslation,
): HeaderList {
  const nominated = nominatedNames(headers)
  const { withheld } = application
  const identity = application.identity(caller)
  const { host, tail, more } = application.forwarded
  // Made in its size: V8 may take an empty list that grows for long-lived, and what it holds.
  const offered = new Array<string>(headers.length + OWN_TEXTS + more.length + identity.length)
  let length = 0
  const add = (name: string, value: string): void => {
    offered[length++] = name
    offered[length++] = value
  }
  let takesTrailers = false
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!
    if (isForwardingFamily(name)) continue
    if (withheld.has(name)) {
      takesTrailers ||= isNamed(name, 'te') && TRAILERS.test(headers[i + 1]!)
      if (isTranslated(name) && nominated?.has(name) !== true && !application.reserved.has(name)) {
        const value = headers[i + 1]!
        add(name, translation?.requestField(name, value) ?? value)
        continue
      }
      // Not what merely folds to it: nobody checked that one, and CGI reads it as the body's
      // length.
      const isExact = isNamed(name, 'cookie') || isNamed(name, 'content-length')
      if (!isExact || nominated?.has(name) === true) continue
      let value: string | undefined = headers[i + 1]!
      if (name.length === 6) value = withoutOurPairs(value, isOwnCookie)
      if (name.length === 6 && value !== undefined && translation !== undefined)
        value = translation.requestCookies(value)
      if (value !== undefined) add(name, value)
    } else if (nominated === undefined || !nominated.has(name)) add(name, headers[i + 1]!)
  }
  // Every hop from here on carries them, whatever the user's own connection does.
  if (takesTrailers) add('TE', 'trailers')
  const node = address.includes(':') ? `"[${address}]"` : address
  add('Forwarded', `for=${node}${tail}`)
  add('X-Forwarded-For', address)
  add('X-Forwarded-Host', host)
  add('X-Forwarded-Proto', application.scheme)
  for (const text of more) offered[length++] = text
  add('Via', `${httpVersion} app-proxy`)
  for (const text of identity) offered[length++] = text
  offered.length = length
  return offered
}

/** What is added at the most, besides the lists of the application: six names and their values. */
const OWN_TEXTS = 12

/** They stand among the withheld names only where they are translated. */
function isTranslated(name: string): boolean {
  return TRANSLATED_NAMES.has(name)
}

const TRANSLATED_NAMES = new FoldedNames(TRANSLATED_REQUEST_FIELDS)
const MAX_TRAILERS = 200
/** A member of `TE`, which has no weight there (RFC 9110 §10.1.4). */
const TRAILERS = /(?:^|,)[ \t]*trailers[ \t]*(?:,|$)/i

/**
 * The trailers of a request as they may go on, by the rules of its headers.
 *
 * @throws ExchangeFailed `user-malformed` for trailers that no frame could carry: an application
 *   must not take for whole what
 *   came without its end
 */
export function offeredTrailers(
  trailers: HeaderList | undefined,
  application: Published,
): HeaderList | undefined {
  if (trailers === undefined) return undefined
  const isLarge = trailers.length > 2 * MAX_TRAILERS || isBeyond(trailers, MAX_OFFERED_BYTES)
  const fault = isLarge ? 'too many trailers' : headersFault(trailers)
  if (fault !== undefined) throw new ExchangeFailed('user', 'user-malformed', { cause: fault })
  const kept = sanitiseTrailers(trailers, application.reserved)
  return kept.length === 0 ? undefined : kept
}
