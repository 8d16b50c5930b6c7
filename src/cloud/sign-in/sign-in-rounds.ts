/**
 * Recognises whoever is signed in again and again: the issuer knows them, their browser brings no
 * session back, and so each page leads to the issuer again. Without an end it would go on for ever.
 *
 * @module
 */
import type { SignInAttempt } from '../../protocol/machines/sign-in.ts'
import type { Application } from '../directory/directory-port.ts'

/** So many sign-ins of one user at one application… */
export const MAX_ROUNDS = 8
/** …within this time are a circle. Milliseconds. */
const WITHIN_MS = 20_000
/** Users remembered; the oldest are forgotten first, and their circle takes some more rounds. */
const MAX_KNOWN = 10_000

export class SignInRounds {
  /** Who → when they signed in last without a session, oldest first. */
  readonly #rounds = new Map<string, number[]>()

  /**
   * Whether this sign-in, of somebody who brought no session, is one of a circle. `now` is
   * monotonic milliseconds.
   */
  isLoop(who: readonly string[], now: number): boolean {
    const key = JSON.stringify(who)
    const times = (this.#rounds.get(key) ?? []).filter((time) => now - time < WITHIN_MS)
    times.push(now)
    this.#rounds.delete(key)
    this.#rounds.set(key, times.slice(-MAX_ROUNDS))
    if (this.#rounds.size > MAX_KNOWN) this.#rounds.delete(this.#rounds.keys().next().value!)
    return times.length >= MAX_ROUNDS
  }
}

/**
 * The attempt's cookie goes where the session's does not: elsewhere both are brought back, or
 * neither is.
 */
export function mayCircle(application: Application, { isPosted }: SignInAttempt): boolean {
  const isNone = isPosted === true || application.embedding !== undefined
  return isNone && application.session?.sameSite !== 'none'
}
