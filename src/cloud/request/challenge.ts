/**
 * What a 401 asks for. It names only what the application takes: a program that is told of a scheme
 * which nobody here reads would try it for nothing.
 *
 * @see spec/PROTOCOL.md, "Bearer tokens"; RFC 9110 section 11.6.1; RFC 6750 section 3; RFC 7617
 * @module
 */
import { headerValue, headerValues, isNamed, type HeaderList } from '../../protocol/internal.ts'
import { resourceOf } from '../directory/bearer-configuration.ts'
import type { Published } from '../directory/published.ts'

/** Where programs look for the metadata of what takes tokens (RFC 9728 section 3). */
export const PROTECTED_RESOURCE_PATH = '/.well-known/oauth-protected-resource'

/** How a token came, or that none did. */
export type ShownBy = 'bearer' | 'basic' | 'nothing'

export type ChallengeParameters = readonly (readonly string[])[]

/**
 * The value of `WWW-Authenticate`, for the request with these header fields.
 *
 * - `Bearer`, with where its metadata is and the scopes that a token must have, for an application
 *   that takes tokens
 * - `Basic` alone, where it takes them as Basic's password and the request is no browser's: of two
 *   challenges some container clients answer the wrong one
 * - `Cookie` where only the session's cookie counts: a 401 must carry a challenge, and this one
 *   makes no program send a token, and no browser ask for a password
 */
export function challenge(
  application: Published,
  headers: HeaderList,
  parameters: ChallengeParameters = [],
  shownBy: ShownBy = 'nothing',
): string {
  const { bearer } = application.application
  const realm = ['realm', application.host]
  if (bearer === undefined) return schemeWith('Cookie', [realm, ...parameters])
  if (bearer.basicToken && shownBy !== 'bearer' && !isOfBrowser(headers))
    return schemeWith('Basic', [realm, ['charset', 'UTF-8']])
  const scopes = bearer.scopes.length === 0 ? [] : [['scope', bearer.scopes.join(' ')]]
  const metadata = ['resource_metadata', protectedResourceUrl(application)]
  return schemeWith('Bearer', [realm, ...parameters, ...scopes, metadata])
}

/** Where the metadata of an application that takes tokens is. */
function protectedResourceUrl({ application }: Published): string {
  const { origin, pathname } = new URL(resourceOf(application))
  return origin + PROTECTED_RESOURCE_PATH + (pathname === '/' ? '' : pathname)
}

/**
 * Whether a browser might ask its user for a password, and keep it: such a request is never asked
 * for Basic.
 */
function isOfBrowser(headers: HeaderList): boolean {
  for (let i = 0; i < headers.length; i += 2) if (/^sec-fetch-/i.test(headers[i]!)) return true
  return headerValues(headers, 'accept').some((accept) => /\btext\/html\b/i.test(accept))
}

function schemeWith(scheme: string, parameters: ChallengeParameters): string {
  const shown = parameters.map(
    ([name, value]) => `${name}="${value!.replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, '')}"`,
  )
  return `${scheme} ${shown.join(', ')}`
}

/** `Sec-Fetch-Site` and `Origin` as a page of another site sends them. */
export function isFromOtherSite(application: Published, headers: HeaderList): boolean {
  const site = headerValue(headers, 'sec-fetch-site')
  if (site !== undefined && site !== 'none' && site !== 'same-origin') return true
  return headerValues(headers, 'origin').some((origin) => !application.isOwnOrigin(origin))
}

/** A list without the token, which has done its service. */
export function withoutAuthorization(headers: HeaderList): HeaderList {
  return headers.filter((_, i) => !isNamed(headers[i - (i % 2)]!, 'authorization'))
}
