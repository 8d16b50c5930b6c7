/**
 * The cookies of attempts: five slots, of the same names for all applications of a host. So what a
 * browser carries for all attempts together is bounded, and they can be removed unseen.
 *
 * @module
 */
import { OwnCookie, ownCookieName, type CookieAttributes } from './cookies.ts'

/** How long a user may take at the issuer, in milliseconds. */
export const ATTEMPT_MS = 10 * 60_000
/** Attempts that one browser keeps for a host; one more takes the place of the oldest. */
export const MAX_ATTEMPTS_KEPT = 5
/** Octets of one attempt's cookie, name and value, at the most: five are less than 2.5 KiB. */
export const MAX_ATTEMPT_OCTETS = 500

/** One of the five. */
export type AttemptSlot = 0 | 1 | 2 | 3 | 4
const SLOTS: readonly AttemptSlot[] = [0, 1, 2, 3, 4]

/** What differs from attempt to attempt. */
export type AttemptAttributes = Omit<CookieAttributes, 'maxAgeSeconds'>

export function attemptName(secure: boolean, slot: AttemptSlot): string {
  return ownCookieName(secure, 'attempt', String(slot))
}

export function attemptCookie(slot: AttemptSlot, attributes: AttemptAttributes): OwnCookie {
  return new OwnCookie(attemptName(attributes.secure, slot), {
    ...attributes,
    maxAgeSeconds: ATTEMPT_MS / 1000,
  })
}

/** The slot that an attempt's id begins with. */
export function slotOf(id: string): AttemptSlot | undefined {
  return SLOTS.find((slot) => id.startsWith(String(slot)))
}

/**
 * A cookie's value with its end in front, readable without opening it. `expiresAt` is milliseconds
 * since 1970.
 */
export function datedValue(expiresAt: number, sealed: string): string {
  return `${dateOf(expiresAt)}.${sealed}`
}

/**
 * Splits what {@link datedValue} joined. Compare `date` with {@link dateOf}: the browser may have
 * changed it.
 */
export function sealedIn(value: string): { readonly date: string; readonly sealed: string } {
  const dot = value.indexOf('.')
  return { date: value.slice(0, Math.max(0, dot)), sealed: value.slice(dot + 1) }
}

export function dateOf(expiresAt: number): string {
  return Math.floor(expiresAt / 1000).toString(36)
}

/**
 * The slot for another attempt: a free one, or else the oldest. `cookies` are ours that the
 * browser brought. Which of the free ones chance decides, so that tabs that open at the same time
 * do not all take the same; `chance` is 0–255.
 */
export function slotFor(
  cookies: readonly (readonly [string, string])[],
  secure: boolean,
  chance: number,
): AttemptSlot {
  const age = SLOTS.map((slot) => {
    const name = attemptName(secure, slot)
    const times = cookies.filter((cookie) => cookie[0] === name).map(([, value]) => timeOf(value))
    return times.length === 0 ? undefined : Math.max(...times)
  })
  const free = SLOTS.filter((slot) => age[slot] === undefined)
  if (free.length > 0) return free[chance % free.length]!
  return SLOTS.reduce((oldest, slot) => (age[slot]! < age[oldest]! ? slot : oldest))
}

/** What is no value of ours is the oldest. */
const timeOf = (value: string) =>
  Number.parseInt(/^[0-9a-z]{1,9}(?=\.)/.exec(value)?.[0] ?? '0', 36)

/**
 * The `Set-Cookie` values that remove every attempt's cookie with any attributes it may have been
 * set with: for answers to heads that could not be parsed. A browser ignores those that do not fit.
 */
export const REMOVE_ATTEMPTS: readonly string[] = SLOTS.flatMap((slot) =>
  [
    { secure: true, sameSite: 'Lax', partitioned: false } as const,
    { secure: true, sameSite: 'None', partitioned: false } as const,
    { secure: true, sameSite: 'None', partitioned: true } as const,
    { secure: false, sameSite: 'Lax', partitioned: false } as const,
  ].map((attributes) => attemptCookie(slot, attributes).remove()),
)
