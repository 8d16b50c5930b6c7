/**
 * When a session is renewed without asking its user, and by whom: near its end, the next page that
 * a browser opens takes the way past the issuer (`prompt=none`), which answers at once if the user
 * is still signed in there.
 *
 * It is the way where nothing is kept of users: no refresh token has to be stored or put into a
 * cookie, and the issuer decides anew, with whatever has changed since. Where one is kept, see
 * session-renewals.ts. However many tabs ask, one goes; the others are served meanwhile. Where it
 * fails the session goes on to its end, and what opens no page (a single-page application left
 * open) learns of the end by a 401.
 *
 * @module
 */
import type { Caller } from '../identity/caller.ts'
import { renewalDueAt } from './session-lifetime.ts'

/** So long nobody else goes after somebody went. Milliseconds. */
const ONE_TRY_MS = 60_000
/** Sessions remembered; the oldest are forgotten first, and then a second tab may go as well. */
const MAX_TRIED = 20_000

export class Renewals {
  /** Session id → until when nobody else goes. */
  readonly #tried = new Map<string, number>()

  /**
   * Whether this request is the one to go; if so, no other is for a while. `wallNow` is
   * milliseconds since 1970.
   */
  takes(session: Caller, wallNow: number): boolean {
    if (!isDue(session, wallNow) || wallNow < (this.#tried.get(session.id!) ?? 0)) return false
    this.#remember(session.id!, wallNow + ONE_TRY_MS)
    return true
  }

  /** The issuer will not renew it without the user: it is not asked again. */
  refused(session: Caller): void {
    this.#remember(session.id!, session.expiresAt!)
  }

  #remember(id: string, until: number): void {
    this.#tried.delete(id)
    this.#tried.set(id, until)
    if (this.#tried.size > MAX_TRIED) this.#tried.delete(this.#tried.keys().next().value!)
  }
}

/** Whether it is time: asked with every request. */
export function isDue(session: Caller, wallNow: number): boolean {
  return wallNow >= renewalDueAt(session)
}
