import { describe, expect, test } from 'vitest'
import { next } from '../../../src/protocol/machines/moves.ts'
import { SIGN_IN_DENIALS } from '../../../src/protocol/machines/sign-in-denials.ts'
import { failureStatus } from '../../../src/protocol/http/failure.ts'
import {
  callbackEvent,
  redirected,
  SIGN_IN,
  SIGN_IN_MOVES,
  type SignInAttempt,
  type SignInEvent,
  type SignInIdentity,
  type SignInOutput,
  type SignInState,
} from '../../../src/protocol/machines/sign-in.ts'

const attempt: SignInAttempt = {
  id: 'a1',
  state: 'a1.state',
  nonce: 'nonce',
  verifier: 'verifier',
  returnTo: '/deep?link',
  issuer: 'https://login.example',
  issuerNamesItself: true,
  expiresAt: 1_000_000,
}
const identity: SignInIdentity = {
  subject: 'u1',
  issuer: attempt.issuer,
  authenticatedAt: 1,
  expiresAt: 2,
}

/** Feeds events to a new machine; returns its state and the effects it asked for. */
function run(...events: SignInEvent[]): { state: SignInState; effects: unknown[][] } {
  const effects: unknown[][] = []
  const out: SignInOutput = {
    redeem: (op, _, code) => effects.push(['redeem', op, code]),
    verify: (op, _, token) => effects.push(['verify', op, token]),
    decide: (op, who) => effects.push(['decide', op, who.subject]),
  }
  let state = redirected(attempt, 15_000)
  for (const event of events) state = next(SIGN_IN, SIGN_IN_MOVES, state, event, out)
  return { state, effects }
}

const code: SignInEvent = { type: 'code', code: 'c', now: 100 }
const redeemed: SignInEvent = { type: 'redeemDone', op: 1, token: 't', now: 200 }
const verified: SignInEvent = { type: 'verifyDone', op: 2, identity, now: 300 }

describe('a sign-in', () => {
  test('redeems the code, verifies the token, decides, and is signed in', () => {
    const { state, effects } = run(code, redeemed, verified, { type: 'decideDone', op: 3 })
    expect(effects).toEqual([
      ['redeem', 1, 'c'],
      ['verify', 2, 't'],
      ['decide', 3, 'u1'],
    ])
    expect(state).toEqual({ state: 'signed-in', attempt, identity })
  })

  test('gives every step its own deadline', () => {
    expect(run(code).state).toMatchObject({ state: 'redeeming', op: 1, deadline: 15_100 })
    expect(run(code, redeemed).state).toMatchObject({ state: 'verifying', op: 2, deadline: 15_200 })
    expect(run(code, redeemed, verified).state).toMatchObject({
      state: 'deciding',
      op: 3,
      deadline: 15_300,
    })
  })

  test.each<[string, SignInEvent[], string]>([
    ['the callback is refused', [{ type: 'refused', reason: 'state-mismatch' }], 'state-mismatch'],
    ['the attempt is too old', [{ type: 'timeout' }], 'attempt-expired'],
    [
      'the code is refused',
      [code, { type: 'redeemRefused', op: 1, reason: 'code-refused' }],
      'code-refused',
    ],
    ['the token endpoint is silent', [code, { type: 'timeout' }], 'issuer-timeout'],
    [
      'the token is refused',
      [code, redeemed, { type: 'verifyRefused', op: 2, reason: 'token-signature' }],
      'token-signature',
    ],
    ['the keys do not come', [code, redeemed, { type: 'timeout' }], 'issuer-timeout'],
    [
      'the user is not assigned',
      [code, redeemed, verified, { type: 'decideRefused', op: 3, reason: 'not-assigned' }],
      'not-assigned',
    ],
    ['the decision does not come', [code, redeemed, verified, { type: 'timeout' }], 'internal'],
  ])('is denied when %s', (_, events, reason) =>
    expect(run(...events).state).toMatchObject({ state: 'denied', reason }),
  )

  test('names the user it denied, once it knows who', () => {
    const { state } = run(code, redeemed, verified, {
      type: 'decideRefused',
      op: 3,
      reason: 'not-assigned',
    })
    expect(state).toMatchObject({ subject: 'u1' })
  })

  test('may ask for a stronger authentication', () =>
    expect(
      run(code, redeemed, verified, { type: 'decideStepUp', op: 3, stepUp: { acrValues: ['mfa'] } })
        .state,
    ).toEqual({ state: 'step-up', attempt, stepUp: { acrValues: ['mfa'] } }))
})

describe('the event that a callback is', () => {
  const good = { state: attempt.state, code: 'c', issuer: attempt.issuer }
  const event = (parameters: object, wallNow = 0, of = attempt) =>
    callbackEvent(of, parameters, wallNow, 7)

  test('is the code, when everything fits', () =>
    expect(event(good)).toEqual({ type: 'code', code: 'c', now: 7 }))

  test.each([
    ['another state', { ...good, state: 'x' }, 'state-mismatch'],
    ['no state, whatever else it says', { error: 'access_denied' }, 'state-mismatch'],
    ['another issuer', { ...good, issuer: 'https://evil.example' }, 'issuer-mismatch'],
    ['no issuer', { state: attempt.state, code: 'c' }, 'issuer-mismatch'],
    ['no code', { state: attempt.state, issuer: attempt.issuer }, 'callback-malformed'],
  ])('is a refusal with %s', (_, parameters, reason) =>
    expect(event(parameters)).toEqual({ type: 'refused', reason }),
  )

  test('is a timeout once the attempt is over', () => {
    expect(event(good, attempt.expiresAt - 1)).toMatchObject({ type: 'code' })
    expect(event(good, attempt.expiresAt)).toEqual({ type: 'timeout' })
  })

  test('needs no issuer of one that never announced to name itself', () =>
    expect(
      event({ state: attempt.state, code: 'c' }, 0, { ...attempt, issuerNamesItself: false }),
    ).toMatchObject({ type: 'code' }))
})

test.each(Object.entries(SIGN_IN_DENIALS))(
  'a denial for %s has a status of its source',
  (_, denial) => {
    const statuses = {
      ...{ 'sign-in': [400, 403, 429], issuer: [403, 502, 503, 504], policy: [403, 500] },
      cloud: [500, 502],
    }
    expect(statuses[denial.source]).toContain(denial.status)
    expect(denial.title).toMatch(/\S/)
    expect(denial.detail).toMatch(/\.$/)
  },
)

test.each([
  ['no-connector', 504],
  ['queue-full', 503],
  ['claim-timeout', 504],
  ['attempts-exhausted', 502],
  ['connector-lost', 502],
  ['connector-violation', 502],
  ['unknown-application', 404],
  ['upgrade-unsupported', 501],
  ['application-unreachable', 502],
  ['application-certificate', 502],
  ['connector-exhausted', 502],
  ['application-timeout', 504],
  ['application-aborted', 502],
  ['application-malformed', 502],
  ['idle-timeout', 504],
  ['user-malformed', 400],
  ['user-too-slow', 408],
  ['origin-refused', 403],
  ['internal', 500],
  ['user-aborted', 499],
  ['cancelled', 499],
] as const)('a failure for %s is a %i', (reason, status) => {
  const failure = failureStatus(reason)
  expect(failure.status).toBe(status)
  expect(failure.error).toMatch(/^[a-z_]+$/)
})
