/** Every answer there is, as the tables say it, at the source it mostly has. */
import { type Action, type Failure } from '../../../src/cloud/index.ts'
import { OWN_ANSWERS } from '../../../src/cloud/pages/own-answers.ts'
import { deliveryOf } from '../../../src/protocol/machines/delivery.ts'
import type { FailureReason } from '../../../src/protocol/wire/errors.ts'
import { failureStatus } from '../../../src/protocol/http/failure.ts'
import { SIGN_IN_DENIALS } from '../../../src/protocol/machines/sign-in-denials.ts'

/** A picture for a logo. */
export const LOGO = `data:image/svg+xml;base64,${btoa(
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 48 48"><rect width="48" height="48" rx="12" fill="#2f6b4f"/><path d="M13 31 24 13l11 18z" fill="none" stroke="#fff" stroke-width="4" stroke-linejoin="round"/></svg>',
)}`

/** Nobody is told that they left themselves. */
const EXCHANGES: Readonly<
  Record<Exclude<FailureReason, 'user-aborted' | 'cancelled'>, Failure['source']>
> = {
  'no-connector': 'connector',
  'instances-unreachable': 'cloud',
  'queue-full': 'cloud',
  'connectors-busy': 'connector',
  'application-share': 'cloud',
  'user-share': 'user',
  'connector-too-old': 'connector',
  'claim-timeout': 'connector',
  'attempts-exhausted': 'connector',
  'connector-lost': 'connector',
  'connector-violation': 'connector',
  'connector-aborted': 'connector',
  'unknown-application': 'user',
  'upgrade-unsupported': 'cloud',
  'method-unsupported': 'cloud',
  'application-unreachable': 'application',
  'application-certificate': 'application',
  'connector-exhausted': 'connector',
  'sign-on-failed': 'connector',
  'pin-lost': 'application',
  'connection-shared': 'cloud',
  'application-timeout': 'application',
  'application-aborted': 'application',
  'application-malformed': 'application',
  'idle-timeout': 'application',
  'user-malformed': 'user',
  'head-too-large': 'user',
  'target-too-long': 'user',
  'user-too-slow': 'user',
  'origin-refused': 'user',
  internal: 'cloud',
}

/** What the pages of a sign-in and sign-out offer. */
const ACTIONS: Readonly<Record<string, readonly Action[]>> = {
  'form-not-delivered': [
    { label: 'Sign in in a new window', href: '/.app-proxy/sign-in/form', opensWindow: true },
  ],
  'signed-in-form': [{ label: 'Go to the start page', href: '/' }],
  'signed-in-window': [{ label: 'Go to the start page', href: '/' }],
  'step-up-required': [{ label: 'Sign in again', href: '/reports/7' }],
  'continue-to-sign-in': [{ label: 'Sign in', href: 'https://sts.example/authorize?x=1&y=2' }],
  'signed-in': [{ label: 'Go on', href: 'https://app.example/reports/7' }],
  'signed-in-open-again': [{ label: 'Go to the start page', href: 'https://app.example/' }],
  'sign-out': [
    { label: 'Sign out', post: '/.app-proxy/sign-out', leavesHost: true },
    {
      ...{ label: 'End the session here only', post: '/.app-proxy/sign-out' },
      fields: { at: 'here' },
    },
    { label: 'Stay signed in', href: '/' },
  ],
  'signed-out': [
    { label: 'Sign in again', href: '/' },
    {
      ...{ label: 'Sign out at the sign-in service', post: '/.app-proxy/sign-out' },
      ...{ fields: { at: 'issuer' }, leavesHost: true },
    },
  ],
}

/** Told, as a rule, before any connector has heard of the request. */
const UNOFFERED: ReadonlySet<string> = new Set(['no-connector', 'queue-full', 'user-malformed'])

type Answer = Omit<Failure, 'requestId'>

export const ALL_ANSWERS: readonly Answer[] = [
  ...Object.values(OWN_ANSWERS).map((answer): Answer => {
    const actions = ACTIONS[answer.code]
    return actions === undefined ? answer : { ...answer, actions }
  }),
  ...Object.entries(SIGN_IN_DENIALS).map(([reason, denial]): Answer => ({
    ...denial,
    code: reason === 'internal' ? 'internal-at-sign-in' : reason,
  })),
  ...Object.entries(EXCHANGES).map(([reason, source]): Answer => {
    const isClaimed = !UNOFFERED.has(reason)
    const facts = { isClaimed, mayHaveBegun: false }
    const delivery = deliveryOf(reason as FailureReason, facts)
    return { ...failureStatus(reason as FailureReason), code: reason, source, delivery }
  }),
]
