import { describe, expect, test } from 'vitest'
import { TIME_LIMITS } from '../../../src/protocol/wire/limits.ts'
import {
  idleRegistration,
  nextRegistration,
  type Registered,
  type RegistrationEvent,
} from '../../../src/protocol/machines/registration.ts'

const reply: Registered = {
  v: 1,
  type: 'registered',
  tenantId: 'contoso',
  connectorId: 'connector-1',
  standing: 'active',
  certificate: new Uint8Array(1),
  chain: [],
  cloudAuthorities: [],
  serverTime: 0,
}
const EVENTS = {
  register: { type: 'register', now: 0 },
  timeout: { type: 'timeout', now: 0, random: 1 },
  prepareKeyDone: { type: 'prepareKeyDone', now: 0 },
  prepareKeyRefused: { type: 'prepareKeyRefused' },
  requestDone: { type: 'requestDone', now: 0, reply },
  requestRefused: { type: 'requestRefused', reason: 'token-role' },
  requestDeferred: { type: 'requestDeferred', now: 0, random: 1 },
  storeDone: { type: 'storeDone' },
  storeRefused: { type: 'storeRefused', now: 0, random: 1 },
} as const satisfies Record<string, RegistrationEvent>

function trace(...events: readonly (keyof typeof EVENTS | RegistrationEvent)[]) {
  const effects: string[] = []
  let state = idleRegistration(TIME_LIMITS)
  for (const event of events)
    state = nextRegistration(state, typeof event === 'string' ? EVENTS[event] : event, {
      prepareKey: (op) => effects.push(`prepareKey ${op}`),
      request: (op) => effects.push(`request ${op}`),
      store: (op) => effects.push(`store ${op}`),
    })
  return { state, effects }
}

test('a durable key, one request, a stored certificate', () => {
  const { state, effects } = trace('register', 'prepareKeyDone', 'requestDone', 'storeDone')
  expect(effects).toEqual(['prepareKey 1', 'request 2', 'store 3'])
  expect(state.state).toBe('registered')
})

test('nothing is sent while the key is not durable', () => {
  expect(trace('register').effects).toEqual(['prepareKey 1'])
  expect(trace('register', 'prepareKeyRefused')).toMatchObject({
    state: { state: 'idle' },
    effects: ['prepareKey 1'],
  })
})

describe('a lost reply is asked for again, without another key', () => {
  const lost = ['timeout', 'requestDeferred'] as const
  test.each(lost)('%s', (how) => {
    const { state, effects } = trace('register', 'prepareKeyDone', how, 'timeout')
    expect(effects).toEqual(['prepareKey 1', 'request 2', 'request 4'])
    expect(state.state).toBe('requesting')
  })
  test('so is a certificate that could not be stored', () => {
    const stored = trace('register', 'prepareKeyDone', 'requestDone', 'storeRefused', 'timeout')
    expect(stored.effects).toEqual(['prepareKey 1', 'request 2', 'store 3', 'request 5'])
  })
})

test('the wait doubles, and is at least what the cloud asks for', () => {
  const after = (tries: number) =>
    trace(
      'register',
      'prepareKeyDone',
      ...Array.from({ length: tries }, () => ['requestDeferred', 'timeout'] as const).flat(),
      { ...EVENTS.requestDeferred, retryAfterMs: 900 },
    ).state
  expect([0, 1, 2, 9].map(after)).toMatchObject([
    { deadline: 900 },
    { deadline: 1000 },
    { deadline: 2000 },
    { deadline: 30_000 },
  ])
})

test('a refusal is final, until somebody registers anew', () => {
  const refused = ['register', 'prepareKeyDone', 'requestRefused'] as const
  expect(trace(...refused).state).toMatchObject({ state: 'refused', reason: 'token-role' })
  expect(trace(...refused, 'timeout').state.state).toBe('refused')
  expect(trace(...refused, 'register').state.state).toBe('preparing-key')
})

test('every event that moves the machine makes earlier results stale', () => {
  const events = [
    'register',
    'prepareKeyDone',
    'requestDeferred',
    'timeout',
    'requestDone',
  ] as const
  const ops = events.map((_, index) => trace(...events.slice(0, index + 1)).state.op)
  expect(ops).toEqual([1, 2, 3, 4, 5])
})
