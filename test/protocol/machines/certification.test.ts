import { describe, expect, test } from 'vitest'
import {
  nextCertification,
  type CertificationEvent,
  type CertificationOutput,
  type CertificationState,
} from '../../../src/protocol/internal.ts'

const registrar = {
  tenantId: 'contoso',
  issuer: 'https://issuer.example',
  subject: 'alice',
  onceId: 'jti:1',
  tokenExpiresAt: 1,
}
const key = { publicKey: new Uint8Array([1]), keyId: 'k', ignored: ['subject CN=admin'] }
const connector = {
  connectorId: 'c',
  standing: 'active',
  certificate: new Uint8Array([2]),
  repeated: false,
} as const
const request = new Uint8Array([3])

const STEPS: readonly CertificationEvent[] = [
  { type: 'register', now: 0, token: 'token', request },
  { type: 'verifyTokenDone', now: 10, op: 1, registrar },
  { type: 'verifyRequestDone', now: 20, op: 2, key },
  { type: 'recordDone', op: 3, connector },
]

function run(events: readonly CertificationEvent[]) {
  const effects: [string, object][] = []
  const out: CertificationOutput = {
    verifyToken: (effect) => effects.push(['verifyToken', effect]),
    verifyTicket: (effect) => effects.push(['verifyTicket', effect]),
    verifyRequest: (effect) => effects.push(['verifyRequest', effect]),
    record: (effect) => effects.push(['record', effect]),
  }
  let state: CertificationState = { state: 'received' }
  for (const event of events) state = nextCertification(state, event, out)
  return { state, effects }
}

test('token, then request, then record: one effect after the other', () => {
  const { state, effects } = run(STEPS)
  expect(effects).toEqual([
    ['verifyToken', { op: 1, token: 'token' }],
    ['verifyRequest', { op: 2, request }],
    ['record', { op: 3, registrar, key }],
  ])
  expect(state).toEqual({ state: 'certified', registrar, key, connector })
})

const holder = {
  tenantId: 'contoso',
  groupId: 'default',
  ticketId: 't',
  ticketHash: 'h',
  maker: { as: 'operator', name: 'carol' },
} as const

test('a ticket takes the place of the token, and nothing else changes', () => {
  const { state, effects } = run([
    { type: 'registerByTicket', now: 0, ticket: 'ticket', request },
    { type: 'verifyTicketDone', now: 10, op: 1, registrar: holder },
    ...STEPS.slice(2),
  ])
  expect(effects).toEqual([
    ['verifyTicket', { op: 1, ticket: 'ticket' }],
    ['verifyRequest', { op: 2, request }],
    ['record', { op: 3, registrar: holder, key }],
  ])
  expect(state).toEqual({ state: 'certified', registrar: holder, key, connector })
})

test('a ticket that is refused ends it there', () => {
  const { state, effects } = run([
    { type: 'registerByTicket', now: 0, ticket: 'ticket', request },
    { type: 'verifyTicketRefused', op: 1, reason: 'ticket-refused' },
  ])
  expect(state).toEqual({ state: 'refused', while: 'verifying-ticket', reason: 'ticket-refused' })
  expect(effects).toHaveLength(1)
})

test('every waiting state has a deadline of its own', () => {
  const deadlines = [1, 2, 3].map((steps) => run(STEPS.slice(0, steps)).state)
  expect(deadlines).toMatchObject([{ deadline: 5000 }, { deadline: 5010 }, { deadline: 5020 }])
})

describe.each([
  [1, 'verifying-token', 'verifyTokenRefused', 'token-role'],
  [2, 'verifying-request', 'verifyRequestRefused', 'request-signature'],
  [3, 'recording', 'recordRefused', 'token-replayed'],
] as const)('after %i steps', (steps, waiting, type, reason) => {
  test(`a refusal while ${waiting} ends it there, and is named`, () => {
    const { state, effects } = run([...STEPS.slice(0, steps), { type, op: steps, reason }])
    expect(state).toMatchObject({ state: 'refused', while: waiting, reason })
    expect(effects).toHaveLength(steps)
    expect('registrar' in state).toBe(steps > 1)
    expect('key' in state).toBe(steps > 2)
  })

  test(`a deadline that passes while ${waiting} says to ask again`, () => {
    const { state } = run([...STEPS.slice(0, steps), { type: 'timeout', now: 99_999 }])
    expect(state).toMatchObject({
      state: 'refused',
      while: waiting,
      reason: 'unavailable',
      retryAfterMs: 1000,
    })
    const late = run([
      ...STEPS.slice(0, steps),
      { type: 'timeout', now: 99_999 },
      { type, op: steps, reason },
      STEPS[steps]!,
    ])
    expect(late.state).toEqual(state)
  })
})
