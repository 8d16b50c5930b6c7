/**
 * The ID token that tells the issuer whose session is to end: with it the issuer asks nothing, and
 * some end nothing without it.
 *
 * It is kept by the user's browser, sealed, in a cookie that comes with requests of the sign-out's
 * path alone: no store is needed, any instance can read it, and no other request grows by it. One
 * that would be too large is not kept; the issuer is given the user's name then.
 *
 * @see OpenID Connect RP-Initiated Logout 1.0 section 2
 * @module
 */
import { decodeJwt } from 'jose'
import { onlyCookie, OwnCookie, ownCookieName } from '../directory/cookies.ts'
import type { KeyRing } from '../session/key-ring.ts'
import { seal, unseal, type SealScope } from '../session/sealed-cookie.ts'
import type { Application } from '../directory/directory-port.ts'
import { OWN_PATH } from '../pages/return-target.ts'
import { isSecure } from '../session/session.ts'

/** Where the user signs out, and where alone the cookie goes. */
export const SIGN_OUT_PATH = `${OWN_PATH}sign-out`
/**
 * A longer token is not kept: with the session's cookie it must fit into an answer's head that
 * proxies pass.
 */
const MAX_TOKEN_CHARACTERS = 2_048

/**
 * The `Set-Cookie` value that keeps the token of a sign-in that has just ended well, in the place
 * of any before.
 */
export async function keepTokenHint(
  keyRing: KeyRing,
  application: Application,
  host: string,
  token: string,
): Promise<string> {
  const cookie = tokenHintCookie(application)
  if (token.length > MAX_TOKEN_CHARACTERS) return cookie.remove()
  return cookie.set(await seal(keyRing, scopeOf(application, host), { token }))
}

/** The token of this user that a request for the sign-out carries; `undefined`: there is none. */
export async function readTokenHint(
  keyRing: KeyRing,
  application: Application,
  host: string,
  cookieFields: readonly string[],
  subject: string,
): Promise<string | undefined> {
  const value = onlyCookie(cookieFields, tokenHintCookie(application).name)
  if (value === undefined) return undefined
  const sealed = await unseal(keyRing, scopeOf(application, host), value)
  const { token } = (sealed ?? {}) as { readonly token?: unknown }
  if (typeof token !== 'string' || decodeJwt(token).sub !== subject) return undefined
  return token
}

/** Where a session's cookie comes with a frame's requests, this one does. */
export function tokenHintCookie(application: Application): OwnCookie {
  const secure = isSecure(application)
  const { sameSite } = application.session ?? {}
  return new OwnCookie(ownCookieName(secure, 'hint', application.id), {
    ...{ secure, path: SIGN_OUT_PATH },
    sameSite: sameSite === 'none' ? 'None' : 'Lax',
    partitioned: application.embedding?.partitioned,
  })
}

function scopeOf({ tenantId, id }: Application, host: string): SealScope {
  return { purpose: 'hint', tenantId, applicationId: id, host }
}
