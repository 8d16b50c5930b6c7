/**
 * What a sign-in is begun with, and what comes of it.
 *
 * @module
 */
import type { SignInReason, SignInSource } from '../../protocol/machines/sign-in-denials.ts'
import type { StepUpRequest } from '../../protocol/machines/sign-in.ts'
import type { Session } from '../session/session.ts'

/** How a sign-in is begun. */
export interface SignInWishes {
  /** The user goes there by a page that keeps the fragment of the address. Default false. */
  readonly keepsFragment?: boolean
  /** That page keeps the whole address, which is too long to be sent along. Default false. */
  readonly keepsAddress?: boolean
  /** A stronger sign-in is needed than before. Default: whatever the issuer finds enough. */
  readonly stepUp?: StepUpRequest
  /**
   * The issuer lets the user choose an account, also if somebody is signed in there. Default false.
   */
  readonly otherAccount?: boolean
  /**
   * The session to be renewed, without asking the user anything. Default: the issuer asks what it
   * needs to.
   */
  readonly renews?: Session
}

/** Send the user there. */
export interface SignInRedirect {
  readonly kind: 'redirect'
  readonly location: string
  /** `Set-Cookie` values. */
  readonly setCookies: readonly string[]
  /** By a page that keeps the fragment. */
  readonly keepsFragment: boolean
  /** By a page that keeps the whole address. */
  readonly keepsAddress: boolean
}

/** The user was signed in already: send them to `location`, the URL they asked for. */
export interface SignInReturn extends Omit<SignInRedirect, 'kind'> {
  readonly kind: 'returned'
}

/** The user is signed in: send them to `location`, the URL they asked for. */
export interface SignedIn {
  readonly kind: 'signed-in'
  readonly location: string
  readonly setCookies: readonly string[]
  readonly session: Session
  /** By a page that adds the fragment again. */
  readonly keepsFragment: boolean
  /** By a page that goes to the address that was kept. */
  readonly keepsAddress: boolean
}

/** The user is denied; `source` says whose doing it was. */
export interface SignInRefusal {
  readonly kind: 'denied'
  readonly source: SignInSource
  readonly reason: SignInReason
  /** HTTP status, and words for the user. */
  readonly status: number
  readonly title: string
  readonly detail: string
  /** Trying again may help then. */
  readonly retryAfterMs?: number
  readonly setCookies: readonly string[]
  /** Where they wanted to go, as far as is known: a target of the same host. */
  readonly returnTo?: string | undefined
}

/**
 * Somebody who is signed in came upon an old answer again, by the back button perhaps: that is no
 * error.
 */
export const STALE: ReadonlySet<SignInReason> = new Set([
  ...(['attempt-missing', 'attempt-used', 'attempt-expired', 'code-refused'] as const),
])
/**
 * Reasons that say a silent renewal cannot work without the user. After any other reason it may
 * work the next time.
 */
export const NOT_SILENTLY: ReadonlySet<SignInReason> = new Set([
  ...(['issuer-refused', 'access-denied', 'interaction-needed', 'strength-refused'] as const),
])
