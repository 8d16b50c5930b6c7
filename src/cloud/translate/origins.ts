/**
 * What of `Origin` and `Referer` an application takes for its own pages, and those of applications
 * it trusts. Everything else stays, octet for octet.
 *
 * An origin that several applications share does not say which of them speaks: then only what is
 * listed is translated. An application that is shown the external host knows itself by that, and
 * is told nothing else.
 *
 * @see RFC 6454; RFC 9110, section 10.1.3
 * @module
 */
import type { UrlTranslation } from './url-translation.ts'

/** `undefined`: it stays. @param authority what the user asked for, host and port */
export function inwardOrigin(
  origin: string,
  authority: string,
  urls: UrlTranslation,
  trusted: readonly string[],
): string | undefined {
  const { internal, application } = urls.own
  if (application.hostHeader === 'external' || !ORIGIN.test(origin)) return undefined
  if (urls.isOwnExternal(origin, authority))
    return isTrustedOwn(urls, trusted) ? internal.origin : undefined
  if (!trusted.includes(origin)) return undefined
  const origins = new Set(urls.siblingsAt(origin).map((place) => place.internal.origin))
  return origins.size === 1 ? [...origins][0] : undefined
}

/** `undefined`: it stays. */
export function inwardReferer(
  url: string,
  authority: string,
  urls: UrlTranslation,
  trusted: readonly string[],
): string | undefined {
  if (urls.own.application.hostHeader === 'external' || url.startsWith('/')) return undefined
  if (urls.isOwnExternal(url, authority))
    return isTrustedOwn(urls, trusted) ? urls.inward(url, authority) : undefined
  return trusted.some((origin) => url.startsWith(`${origin}/`))
    ? urls.inwardSibling(url)
    : undefined
}

const ORIGIN = /^https?:\/\/[^/?#]+$/i

function isTrustedOwn(urls: UrlTranslation, trusted: readonly string[]): boolean {
  return !urls.isHostShared || trusted.includes(urls.own.external.origin)
}
