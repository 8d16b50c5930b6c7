/**
 * A session's next cookie, on an answer that is an application's or ours.
 *
 * @see docs/sessions.md
 * @module
 */
import { headerValues, type HeaderList } from '../../protocol/internal.ts'
import { setsCookieNamed } from '../directory/cookies.ts'

/**
 * The headers with the cookie. No shared cache may keep them then, whatever the application allowed
 * (RFC 9111 section 7.3). An answer that sets a session cookie of ours already keeps that one.
 */
export function withSessionCookie(headers: HeaderList, setCookie: string): HeaderList {
  const name = setCookie.slice(0, setCookie.indexOf('='))
  if (headerValues(headers, 'set-cookie').some((other) => setsCookieNamed(other, name)))
    return headers
  const isPrivate = headerValues(headers, 'cache-control').some((value) =>
    /\b(?:private|no-store)\b(?!=)/i.test(value),
  )
  const cache = isPrivate ? [] : ['Cache-Control', 'private']
  return [...headers, 'Set-Cookie', setCookie, ...cache]
}
