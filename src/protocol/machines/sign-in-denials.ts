/**
 * Why a sign-in is denied, and whose doing it was: the user is shown the source of the problem.
 *
 * @see spec/PROTOCOL.md, "Error codes"
 * @module
 */

/**
 * Whose decision or fault a denial is: the sign-in's own rules, the issuer, the operator's
 * policies, or this service.
 */
export type SignInSource = 'sign-in' | 'issuer' | 'policy' | 'cloud'

/** Why a sign-in is denied. Stable: programs may switch on it. */
export type SignInReason =
  // the callback
  | 'callback-malformed'
  | 'attempt-missing'
  | 'attempt-expired'
  | 'attempt-used'
  | 'state-mismatch'
  | 'sign-in-loop'
  // the issuer
  | 'issuer-mismatch'
  | 'issuer-unavailable'
  | 'issuer-timeout'
  | 'issuer-redirected'
  | 'issuer-too-large'
  | 'issuer-malformed'
  | 'issuer-insecure'
  | 'issuer-keys'
  | 'issuer-refused'
  | 'issuer-busy'
  | 'issuer-failed'
  | 'interaction-needed'
  | 'strength-refused'
  | 'request-refused'
  | 'access-denied'
  | 'code-refused'
  | 'client-refused'
  // its token
  | 'token-missing'
  | 'token-malformed'
  | 'token-too-large'
  | 'token-encrypted'
  | 'token-header'
  | 'token-algorithm'
  | 'token-key'
  | 'token-signature'
  | 'token-claims'
  | 'token-issuer'
  | 'token-audience'
  | 'token-party'
  | 'token-expired'
  | 'token-not-yet-valid'
  | 'token-nonce'
  | 'token-hash'
  | 'token-tenant'
  // a program's token
  | 'token-revoked'
  | 'token-scope'
  | 'token-role'
  | 'token-attempts'
  // the decision
  | 'not-assigned'
  | 'policy-denies'
  | 'no-policy-allows'
  | 'policy-broken'
  | 'step-up-contradiction'
  | 'step-up-unmet'
  | 'authentication-too-old'
  // ourselves
  | 'internal'

/** What a denial looks like from outside. */
export interface SignInDenial {
  readonly source: SignInSource
  /** HTTP status. */
  readonly status: number
  readonly title: string
  /** One sentence for the user. */
  readonly detail: string
}

const STALE = 'Open the page you wanted again; the sign-in starts afresh.'
const TOKEN =
  'The sign-in service sent a token that this application cannot accept. Tell your administrator the request number.'
const FAULTY =
  'The sign-in service gave an answer that cannot be used. Try again in a moment; if it stays so, tell your administrator the request number.'
const badAnswer = {
  source: 'issuer',
  status: 502,
  title: 'Sign-in service faulty',
  detail: FAULTY,
} as const
const badToken = { source: 'issuer', status: 403, title: 'Sign-in refused', detail: TOKEN } as const

/** Every reason's source, status and words. */
export const SIGN_IN_DENIALS: Readonly<Record<SignInReason, SignInDenial>> = {
  'callback-malformed': {
    source: 'sign-in',
    status: 400,
    title: 'Sign-in not completed',
    detail: `The answer from the sign-in page could not be read. ${STALE}`,
  },
  'attempt-missing': {
    source: 'sign-in',
    status: 400,
    title: 'Sign-in not completed',
    detail: `This browser holds no record of this sign-in: newer ones took its place, it is long ago, or cookies are blocked. ${STALE}`,
  },
  'attempt-expired': {
    source: 'sign-in',
    status: 400,
    title: 'Sign-in took too long',
    detail: STALE,
  },
  'attempt-used': {
    source: 'sign-in',
    status: 400,
    title: 'Sign-in already completed',
    detail: STALE,
  },
  'state-mismatch': {
    source: 'sign-in',
    status: 400,
    title: 'Sign-in not completed',
    detail: `The answer does not belong to this sign-in. ${STALE}`,
  },
  'sign-in-loop': {
    source: 'sign-in',
    status: 403,
    title: 'Signing in goes round in circles',
    detail:
      'You were signed in several times within seconds, and each time the browser did not bring back the cookie that says so. Open the page in a window of its own, or allow cookies for it.',
  },
  'issuer-mismatch': {
    source: 'issuer',
    status: 403,
    title: 'Sign-in refused',
    detail:
      'The answer came from another sign-in service than the one that was asked. Open the page you wanted again.',
  },
  'issuer-unavailable': {
    source: 'issuer',
    status: 503,
    title: 'Sign-in service unavailable',
    detail: 'The sign-in service cannot be reached. Try again in a moment.',
  },
  'issuer-timeout': {
    source: 'issuer',
    status: 504,
    title: 'Sign-in service too slow',
    detail: 'The sign-in service did not answer in time. Try again in a moment.',
  },
  'issuer-redirected': badAnswer,
  'issuer-too-large': badAnswer,
  'issuer-malformed': badAnswer,
  'issuer-insecure': badAnswer,
  'issuer-keys': badAnswer,
  'issuer-refused': {
    source: 'issuer',
    status: 403,
    title: 'Sign-in refused',
    detail: 'The sign-in service refused the sign-in, and gave no reason that is known here.',
  },
  'issuer-busy': {
    source: 'issuer',
    status: 503,
    title: 'Sign-in service busy',
    detail: 'The sign-in service says that it can sign in nobody right now. Try again in a moment.',
  },
  'issuer-failed': {
    source: 'issuer',
    status: 502,
    title: 'Sign-in service failed',
    detail:
      'The sign-in service reports a failure of its own. Try again; if it stays so, tell its administrator.',
  },
  'interaction-needed': {
    source: 'issuer',
    status: 403,
    title: 'Sign-in not completed',
    detail:
      'The sign-in service needs something from you first, such as your password or your consent. Open the page again and answer what it asks.',
  },
  'strength-refused': {
    source: 'issuer',
    status: 403,
    title: 'Sign-in refused',
    detail: 'The sign-in service could not sign you in as strongly as is asked for here.',
  },
  'request-refused': {
    source: 'cloud',
    status: 502,
    title: 'Sign-in not set up correctly',
    detail:
      'The sign-in service does not accept what this application asks it for. Tell its administrator.',
  },
  'access-denied': {
    source: 'issuer',
    status: 403,
    title: 'Not signed in',
    detail:
      'The sign-in service did not let you in: it denied the sign-in, perhaps because your account there may not use this application, or the sign-in was cancelled.',
  },
  'code-refused': {
    source: 'issuer',
    status: 403,
    title: 'Sign-in refused',
    detail: `The sign-in service no longer accepts this sign-in. ${STALE}`,
  },
  'client-refused': {
    source: 'cloud',
    status: 502,
    title: 'Sign-in not set up correctly',
    detail: 'The sign-in service does not accept this application. Tell its administrator.',
  },
  'token-missing': badAnswer,
  'token-malformed': badToken,
  'token-too-large': badToken,
  'token-encrypted': badToken,
  'token-header': badToken,
  'token-algorithm': badToken,
  'token-key': badToken,
  'token-signature': badToken,
  'token-claims': badToken,
  'token-issuer': badToken,
  'token-audience': badToken,
  'token-party': badToken,
  'token-expired': badToken,
  'token-not-yet-valid': badToken,
  'token-nonce': badToken,
  'token-hash': badToken,
  'token-tenant': badToken,
  'token-revoked': badToken,
  'token-scope': {
    source: 'sign-in',
    status: 403,
    title: 'You do not have access',
    detail:
      'The token lacks a scope that this application needs. Ask the sign-in service for one with it.',
  },
  'token-role': {
    source: 'sign-in',
    status: 403,
    title: 'You do not have access',
    detail: 'The token lacks a role that this application needs. Ask its administrators for it.',
  },
  'token-attempts': {
    source: 'sign-in',
    status: 429,
    title: 'Too many attempts',
    detail: 'Too many tokens from this address were not accepted. Try again in a minute.',
  },
  'not-assigned': {
    source: 'sign-in',
    status: 403,
    title: 'You do not have access',
    detail:
      'You are signed in, but you are not assigned to this application. Ask its administrators for access, or use another account.',
  },
  'policy-denies': {
    source: 'policy',
    status: 403,
    title: 'Access denied',
    detail:
      'Your organisation does not allow this access. Its administrators can tell you what is needed; tell them the request number.',
  },
  'no-policy-allows': {
    source: 'policy',
    status: 403,
    title: 'Access denied',
    detail:
      'Your organisation allows access only under conditions that are not met now, such as another place, device or time. Tell your administrator the request number.',
  },
  'policy-broken': {
    source: 'policy',
    status: 500,
    title: 'Access cannot be decided',
    detail: 'The access policies cannot be read, so nobody is let in. Tell your administrator.',
  },
  'step-up-contradiction': {
    source: 'policy',
    status: 403,
    title: 'Access denied',
    detail:
      'The access policies ask for sign-ins that exclude each other. Tell your administrator.',
  },
  'step-up-unmet': {
    source: 'policy',
    status: 403,
    title: 'One more step is needed',
    detail:
      'You came back from the sign-in service without the stronger sign-in that your organisation asks for, such as a second factor. Open the page again to try once more.',
  },
  'authentication-too-old': {
    source: 'issuer',
    status: 403,
    title: 'You signed in too long ago',
    detail:
      'The sign-in service did not ask you to sign in again, which this application needs. Sign out, and open the page again.',
  },
  internal: {
    source: 'cloud',
    status: 500,
    title: 'Sign-in failed',
    detail: 'Something went wrong in this service. Try again in a moment.',
  },
}
