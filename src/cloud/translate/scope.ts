import { joinInternal, pathAfter } from '../../protocol/internal.ts'
import type { UrlTranslation } from './url-translation.ts'
import { isUnderBase } from './url-spelling.ts'

/**
 * How far a service worker may reach, for the user; `undefined`: it would reach other applications.
 *
 * @param requestPath of the script, as the user asked for it
 * @see Service Workers, "Service-Worker-Allowed"
 */
export function translateScope(
  value: string,
  requestPath: string,
  urls: UrlTranslation,
): string | undefined {
  const { internal, external } = urls.own
  const inside = joinInternal(internal.base, pathAfter(external.base, requestPath))
  if (!URL.canParse(value, `http://script${inside}`)) return undefined
  const { host, pathname } = new URL(value, `http://script${inside}`)
  const path = host === 'script' ? reachOf(pathname, urls) : ownPath(urls.outward(value), urls)
  if (path === undefined || urls.isBeyond(path)) return undefined
  const seen = new URL(value, `http://script${requestPath}`)
  return host === 'script' && seen.pathname === path ? value : path
}

function reachOf(path: string, urls: UrlTranslation): string {
  const { external } = urls.own
  return urls.outward(path) ?? (isUnderBase(external.base, path) ? path : external.base)
}

function ownPath(url: string | undefined, urls: UrlTranslation): string | undefined {
  const { origin } = urls.own.external
  return url?.startsWith(`${origin}/`) === true ? new URL(url).pathname : undefined
}
