/**
 * Pre-authentication (access 1.1–1.5), the cloud's side of one attempt to sign in:
 *
 *     redirected → redeeming → verifying → deciding → signed-in · step-up · denied
 *
 * `redirected` is the attempt as its sealed cookie restores it, so any instance can take the
 * callback. The three states that follow are named for what is awaited; each began one effect with
 * the number `op` and ends at its `deadline`. The driver answers an effect with exactly one of
 * `…Done`, `…Refused`, and drops answers whose `op` is no longer awaited.
 *
 * @see spec/PROTOCOL.md, "Sign-in and session"
 * @module
 */
import { issuerErrorCode, issuerErrorMeaning, type IssuerErrorCode } from './issuer-errors.ts'
import type { UserClaims } from '../wire/frame-types.ts'
import type { Moves } from './moves.ts'
import type { SignInReason } from './sign-in-denials.ts'
import { misuse, type Table } from './table.ts'

/**
 * One attempt to sign in: what the redirect to the issuer promised, and the callback must match.
 */
export interface SignInAttempt {
  /** Names the attempt's cookie, and is part of its `state`. */
  readonly id: string
  /** The `state` parameter sent to the issuer. */
  readonly state: string
  /** What the ID token must repeat. */
  readonly nonce: string
  /** The PKCE code verifier. */
  readonly verifier: string
  /** The request target that the user asked for: path-absolute. */
  readonly returnTo: string
  readonly issuer: string
  /** The issuer announced that it names itself in the callback (RFC 9207): then it must. */
  readonly issuerNamesItself: boolean
  /** The issuer was asked for a stronger sign-in than before: it is not asked again. */
  readonly isStepUp?: boolean | undefined
  /** The user's browser keeps the fragment of the address, which is to be added again. */
  readonly keepsFragment?: boolean | undefined
  /** The user's browser keeps the whole address, which is too long to be sent along. */
  readonly keepsAddress?: boolean | undefined
  /** The id of the session that is to be renewed, without asking the user. */
  readonly renews?: string | undefined
  /** The issuer posts its answer as a form. */
  readonly isPosted?: boolean | undefined
  /** Milliseconds since 1970. */
  readonly expiresAt: number
}

/** The parameters of a callback that matter, each present at most once. */
export interface CallbackParameters {
  readonly state?: string
  readonly code?: string
  readonly issuer?: string
  readonly error?: string
}

/** A claim that can be compared. */
export type ClaimValue = string | number | boolean

/** What a verified ID token says. */
export interface SignInIdentity extends Omit<UserClaims, 'claims'> {
  /** The name that the issuer assigns to the user. */
  readonly upn?: string
  /** When the user authenticated, milliseconds since 1970; absent: the issuer did not say. */
  readonly authenticatedAt?: number
  /** The token's end, milliseconds since 1970. */
  readonly expiresAt: number
  /** How strongly: `acr` and `amr`. */
  readonly strength?: string
  readonly methods?: readonly string[]
  /**
   * The authentication contexts met, `acrs`, of an issuer that has a list of them instead of `acr`.
   */
  readonly contexts?: readonly string[]
  /** Other claims: those that the application's policies name, or that it is told. */
  readonly claims?: Readonly<Record<string, ClaimValue | readonly ClaimValue[]>>
  /**
   * The issuer says that there are more groups or roles than it lists, or lists what cannot be
   * read.
   */
  readonly isPartial?: boolean
  /** The issuer's own session, `sid`: what a back-channel logout names. */
  readonly issuerSession?: string
}

/** A stronger sign-in, as the issuer is asked for it. */
export interface StepUpRequest {
  /** For `acr_values`, the first preferred. */
  readonly acrValues?: readonly string[]
  /** For `max_age`, which counts in seconds. */
  readonly maxAgeMs?: number
  /**
   * Methods that policies name: there is no parameter for them, only the `amr` claim of the answer.
   */
  readonly amr?: readonly string[]
}

/** `deadline` is monotonic milliseconds. */
interface Awaiting {
  readonly attempt: SignInAttempt
  readonly op: number
  readonly deadline: number
  readonly stepMs: number
}

export type SignInState =
  | {
      readonly state: 'redirected'
      readonly attempt: SignInAttempt
      /** How long each later step may take, milliseconds. */
      readonly stepMs: number
    }
  | ({ readonly state: 'redeeming' } & Awaiting)
  | ({ readonly state: 'verifying' } & Awaiting)
  | ({ readonly state: 'deciding'; readonly identity: SignInIdentity } & Awaiting)
  | {
      readonly state: 'signed-in'
      readonly attempt: SignInAttempt
      readonly identity: SignInIdentity
    }
  | {
      readonly state: 'step-up'
      readonly attempt: SignInAttempt
      readonly stepUp: StepUpRequest
    }
  | {
      readonly state: 'denied'
      readonly reason: SignInReason
      readonly subject?: string
      readonly issuerError?: IssuerErrorCode
    }

export type SignInEvent =
  // the callback: callbackEvent() chooses which
  | { readonly type: 'code'; readonly code: string; readonly now: number }
  | {
      readonly type: 'refused'
      readonly reason: SignInReason
      /** What the issuer said, if it said it. */
      readonly issuerError?: IssuerErrorCode
    }
  // results of our effects
  | { readonly type: 'redeemDone'; readonly op: number; readonly token: string; now: number }
  | { readonly type: 'redeemRefused'; readonly op: number; readonly reason: SignInReason }
  | {
      readonly type: 'verifyDone'
      readonly op: number
      readonly identity: SignInIdentity
      readonly now: number
    }
  | { readonly type: 'verifyRefused'; readonly op: number; readonly reason: SignInReason }
  | { readonly type: 'decideDone'; readonly op: number }
  | { readonly type: 'decideRefused'; readonly op: number; readonly reason: SignInReason }
  | { readonly type: 'decideStepUp'; readonly op: number; readonly stepUp: StepUpRequest }
  // the clock
  | { readonly type: 'timeout' }

type Event = SignInEvent['type']

/**
 * Every state × event pair of one attempt to sign in. A callback makes a machine of its own, so a
 * second one is our driver's bug.
 */
// prettier-ignore
export const SIGN_IN = {
  //             the callback                          the issuer's token endpoint                           the issuer's keys                                     assignment and policy                                                            the clock
  redirected:  { code: 'redeeming', refused: 'denied', redeemDone: misuse,      redeemRefused: misuse,   verifyDone: misuse,     verifyRefused: misuse,   decideDone: misuse,      decideRefused: misuse,   decideStepUp: misuse,    timeout: 'denied' },
  redeeming:   { code: misuse,      refused: misuse,   redeemDone: 'verifying', redeemRefused: 'denied', verifyDone: misuse,     verifyRefused: misuse,   decideDone: misuse,      decideRefused: misuse,   decideStepUp: misuse,    timeout: 'denied' },
  verifying:   { code: misuse,      refused: misuse,   redeemDone: misuse,      redeemRefused: misuse,   verifyDone: 'deciding', verifyRefused: 'denied', decideDone: misuse,      decideRefused: misuse,   decideStepUp: misuse,    timeout: 'denied' },
  deciding:    { code: misuse,      refused: misuse,   redeemDone: misuse,      redeemRefused: misuse,   verifyDone: misuse,     verifyRefused: misuse,   decideDone: 'signed-in', decideRefused: 'denied', decideStepUp: 'step-up', timeout: 'denied' },
  'signed-in': { code: misuse,      refused: misuse,   redeemDone: misuse,      redeemRefused: misuse,   verifyDone: misuse,     verifyRefused: misuse,   decideDone: misuse,      decideRefused: misuse,   decideStepUp: misuse,    timeout: misuse   },
  'step-up':   { code: misuse,      refused: misuse,   redeemDone: misuse,      redeemRefused: misuse,   verifyDone: misuse,     verifyRefused: misuse,   decideDone: misuse,      decideRefused: misuse,   decideStepUp: misuse,    timeout: misuse   },
  denied:      { code: misuse,      refused: misuse,   redeemDone: misuse,      redeemRefused: misuse,   verifyDone: misuse,     verifyRefused: misuse,   decideDone: misuse,      decideRefused: misuse,   decideStepUp: misuse,    timeout: misuse   },
} as const satisfies Table<SignInState['state'], Event>

/** Where the effects go; each is answered with `…Done` or `…Refused` under the same `op`. */
export interface SignInOutput {
  /** Exchange the code for an ID token at the issuer's token endpoint. */
  redeem(op: number, attempt: SignInAttempt, code: string): void
  /** Check the ID token's signature and claims. */
  verify(op: number, attempt: SignInAttempt, token: string): void
  /** Is the user assigned to the application, and does policy let them in? */
  decide(op: number, identity: SignInIdentity): void
}

/**
 * The attempt a callback continues, as its cookie restored it. `stepMs`: how long each later step
 * may take.
 */
export function redirected(attempt: SignInAttempt, stepMs: number): SignInState {
  return { state: 'redirected', attempt, stepMs }
}

/**
 * The event that a callback is: the guard in front of the machine.
 *
 * `wallNow` is milliseconds since 1970, `now` monotonic milliseconds. The state is checked before
 * anything else the callback says is believed.
 */
export function callbackEvent(
  attempt: SignInAttempt,
  parameters: CallbackParameters,
  wallNow: number,
  now: number,
): SignInEvent {
  const { state, code, issuer, error } = parameters
  if (state !== attempt.state) return { type: 'refused', reason: 'state-mismatch' }
  if (wallNow >= attempt.expiresAt) return { type: 'timeout' }
  if (issuer === undefined ? attempt.issuerNamesItself : issuer !== attempt.issuer)
    return { type: 'refused', reason: 'issuer-mismatch' }
  if (error !== undefined) {
    const issuerError = issuerErrorCode(error)
    return { type: 'refused', reason: issuerErrorMeaning(issuerError).reason, issuerError }
  }
  if (code === undefined || code === '') return { type: 'refused', reason: 'callback-malformed' }
  return { type: 'code', code, now }
}

const denied = (_: SignInState, { reason }: { reason: SignInReason }) =>
  ({ state: 'denied', reason }) as const
const silent = () => ({ state: 'denied', reason: 'issuer-timeout' }) as const

/** The handlers: one per legal pair of {@link SIGN_IN}. */
export const SIGN_IN_MOVES = {
  redirected: {
    code: ({ attempt, stepMs }, { code, now }, out) => {
      out.redeem(1, attempt, code)
      return { state: 'redeeming', attempt, op: 1, deadline: now + stepMs, stepMs }
    },
    refused: (_, { type: _type, ...why }) => ({ state: 'denied', ...why }),
    timeout: () => ({ state: 'denied', reason: 'attempt-expired' }),
  },
  redeeming: {
    redeemDone: ({ attempt, op, stepMs }, { token, now }, out) => {
      out.verify(op + 1, attempt, token)
      return { state: 'verifying', attempt, op: op + 1, deadline: now + stepMs, stepMs }
    },
    redeemRefused: denied,
    timeout: silent,
  },
  verifying: {
    verifyDone: ({ attempt, op, stepMs }, { identity, now }, out) => {
      out.decide(op + 1, identity)
      return { state: 'deciding', attempt, identity, op: op + 1, deadline: now + stepMs, stepMs }
    },
    verifyRefused: denied,
    timeout: silent,
  },
  deciding: {
    decideDone: ({ attempt, identity }) => ({ state: 'signed-in', attempt, identity }),
    decideRefused: ({ identity }, { reason }) => ({
      state: 'denied',
      reason,
      subject: identity.subject,
    }),
    decideStepUp: ({ attempt }, { stepUp }) => ({ state: 'step-up', attempt, stepUp }),
    timeout: ({ identity }) => ({
      state: 'denied',
      reason: 'internal',
      subject: identity.subject,
    }),
  },
  'signed-in': {},
  'step-up': {},
  denied: {},
} satisfies Moves<typeof SIGN_IN, SignInState, SignInEvent, SignInOutput>
