/**
 * One visit of the callback, while it is looked at.
 *
 * @module
 */
import type { SignInAttempt, SignInState } from '../../protocol/machines/sign-in.ts'
import type { Application } from '../directory/directory-port.ts'
import type { SignInSource } from '../../protocol/machines/sign-in-denials.ts'
import type { Wanted } from './attempts.ts'
import { evidenceOf, SignInDenied } from '../identity/sign-in-errors.ts'

/** What a denial has to tell besides its reason. */
export interface Outcome {
  readonly setCookies: string[]
  readonly requestId: string | undefined
  readonly address?: string | undefined
  subject?: string | undefined
  wanted?: Wanted | undefined
  /** Claims that would have said whether the user is assigned, and did not come. */
  unknown?: readonly string[] | undefined
  /** Why UserInfo did not tell the claims it was asked for. */
  userInfoFault?: string | undefined
}

/** One visit of the callback's path. */
export interface Callback extends Outcome {
  readonly application: Application
  readonly host: string
  readonly cookieFields: readonly string[]
  /**
   * Its session begins then, before the issuer is asked: a sign-out there may come in while its
   * answer is looked at. Milliseconds since 1970.
   */
  readonly cameAt: number
  attempt: SignInAttempt | undefined
  /** Once it is verified. */
  idToken?: string
  /** What the issuer granted with its ID token. */
  refreshToken?: string | undefined
}

/** The `detail` of a denial in the audit. */
export function denialDetail(
  source: SignInSource,
  denied: SignInDenied,
  { unknown, userInfoFault }: Outcome,
) {
  return {
    source,
    ...evidenceOf(denied),
    ...(unknown?.length && { unknown }),
    ...(userInfoFault !== undefined && { userInfo: userInfoFault }),
  }
}

/** Why an attempt ended as it did; `failed`: what its last effect said. */
export function denialOfEnd(end: SignInState, failed: SignInDenied | undefined): SignInDenied {
  if (end.state !== 'denied') return new SignInDenied('internal')
  const { reason, issuerError } = end
  return failed?.reason === reason
    ? failed
    : new SignInDenied(reason, undefined, undefined, issuerError)
}
