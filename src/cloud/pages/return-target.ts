/**
 * Where a user goes after signing in: only ever a request target of the same host (threat: open
 * redirect).
 *
 * @module
 */
import { isReserved } from '../../protocol/internal.ts'

/** As long as a request's target may be. */
export const MAX_RETURN_TARGET = 8192
/**
 * As long as one may be that is sent along to the issuer and back; issuers take requests of some 4
 * KB.
 */
export const MAX_SENT_TARGET = 2048
/** Everything under it belongs to this service, on every external host. */
export const OWN_PATH = '/.app-proxy/'
/** Where a sign-in is handed over that came back to the service's own host. */
export const HANDED_OVER_PATH = `${OWN_PATH}sign-in/handed-over`
/** Where a refused user goes to sign in as somebody else. */
export const OTHER_ACCOUNT_PATH = `${OWN_PATH}sign-in/other-account`

/**
 * The request target as a safe place to return to, or `undefined`.
 *
 * It starts with one slash, holds no backslash, space, control character or fragment, and leads to
 * no path of ours under any reading. Octets above 0x7E, which old clients send raw, are
 * percent-encoded.
 */
export function returnTarget(target: string): string | undefined {
  const encoded = target.replace(
    /[\x7f-\xff]/g,
    (octet) => `%${octet.charCodeAt(0).toString(16).toUpperCase()}`,
  )
  if (encoded.length > MAX_RETURN_TARGET) return undefined
  if (!/^\/(?![/\\])[!-"$-[\]-~]*$/.test(encoded)) return undefined
  const path = /^[^?]*/.exec(encoded)![0]
  // A browser resolves dot segments, also encoded ones, before it asks.
  const resolved = new URL(`http://host${path}`).pathname
  return isReserved(path) || isReserved(resolved) ? undefined : encoded
}

/** Opened in a window of its own it lets somebody sign in, while other pages stay as they are. */
export const WINDOW_PATH = `${OWN_PATH}sign-in/window`
/** Where that ends, when the issuer was not to ask its user anything. */
export const WINDOW_RENEWED_PATH = `${WINDOW_PATH}/renewed`
/** Where it ends. */
export const WINDOW_DONE_PATH = `${WINDOW_PATH}/done`
/** The same for somebody whose form was not delivered, and its end, which stays to be read. */
export const FORM_WINDOW_PATH = `${OWN_PATH}sign-in/form`
export const FORM_WINDOW_DONE_PATH = `${FORM_WINDOW_PATH}/done`
const WINDOW_ENDS = [WINDOW_RENEWED_PATH, WINDOW_DONE_PATH, FORM_WINDOW_DONE_PATH]

/**
 * Where a sign-in may lead: see {@link returnTarget}. In a window of its own it ends at a page of
 * ours.
 */
export function signInTarget(target: string): string | undefined {
  return WINDOW_ENDS.includes(target) ? target : returnTarget(target)
}

/**
 * Whether a target can be sent along: it is no place to return to, or short enough when it is
 * written down.
 */
export function canBeSent(target: string): boolean {
  const safe = returnTarget(target)
  if (safe === undefined) return target.length <= MAX_SENT_TARGET
  return JSON.stringify(safe).length - 2 <= MAX_SENT_TARGET
}
