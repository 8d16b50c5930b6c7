import { describe, expect, test } from 'vitest'
import {
  ageOf,
  heldCertificate,
  nextCertificate,
  type CertificateEvent,
  type CertificateState,
} from '../../../src/protocol/machines/certificate.ts'
import { TIME_LIMITS } from '../../../src/protocol/wire/limits.ts'

const DAY_MS = 24 * 60 * 60 * 1000
const validity = { issuedAt: 100 * DAY_MS, expiresAt: 160 * DAY_MS }
const later = { issuedAt: 131 * DAY_MS, expiresAt: 191 * DAY_MS }
const issued = { certificate: new Uint8Array(1), chain: [] }

const EVENTS: { [T in CertificateEvent['type']]: Extract<CertificateEvent, { type: T }> } = {
  young: { type: 'young' },
  aged: { type: 'aged', now: 0 },
  ended: { type: 'ended' },
  prepareKeyDone: { type: 'prepareKeyDone' },
  prepareKeyRefused: { type: 'prepareKeyRefused' },
  issued: { type: 'issued', now: 0, issued, serverTime: later.issuedAt },
  storeDone: { type: 'storeDone', validity: later },
  storeRefused: { type: 'storeRefused' },
  used: { type: 'used' },
  rejected: { type: 'rejected', now: 0 },
  revertDone: { type: 'revertDone', validity },
  revertRefused: { type: 'revertRefused' },
  timeout: { type: 'timeout' },
}

function trace(from: CertificateState, ...events: CertificateEvent['type'][]) {
  const effects: string[] = []
  const out = {
    prepareKey: (op: number) => effects.push(`prepareKey ${op}`),
    store: (op: number) => effects.push(`store ${op}`),
    revert: (op: number) => effects.push(`revert ${op}`),
    settle: () => effects.push('settle'),
    pull: () => effects.push('pull'),
  }
  const state = events.reduce((at, type) => nextCertificate(at, EVENTS[type], out), from)
  return { state, effects }
}

const fresh = heldCertificate(validity, true, TIME_LIMITS)
const unproven = heldCertificate(validity, false, TIME_LIMITS)

test('a roll: key, request, store, proof, and only then is the old one forgotten', () => {
  const { state, effects } = trace(fresh, 'aged', 'prepareKeyDone', 'issued', 'storeDone', 'used')
  expect(effects).toEqual(['prepareKey 1', 'pull', 'store 3', 'pull', 'settle'])
  expect(state).toMatchObject({ state: 'fresh', ...later })
})

test('a refused new certificate changes places with the old one, which must prove itself again', () => {
  const rolled = trace(fresh, 'aged', 'prepareKeyDone', 'issued', 'storeDone').state
  const { state, effects } = trace(rolled, 'rejected', 'revertDone')
  expect(effects).toEqual(['revert 5'])
  expect(state).toMatchObject({ state: 'stored', ...validity })
})

test('what was found unproven in the store stays so until used', () => {
  expect(trace(unproven, 'young', 'aged', 'ended').state).toBe(unproven)
  expect(trace(unproven, 'used').effects).toEqual(['settle'])
})

test('the certificate that works is not given up for a refusal alone', () => {
  expect(trace(fresh, 'rejected').state).toBe(fresh)
})

test('a certificate that nobody asked for is a violation', () => {
  expect(() => trace(fresh, 'issued')).toThrowError(
    expect.objectContaining({ code: 'ERR_PEER_VIOLATION' }),
  )
})

test.each([
  [['aged', 'prepareKeyRefused'], 'fresh'],
  [['aged', 'timeout'], 'fresh'],
  [['aged', 'prepareKeyDone', 'issued', 'storeRefused'], 'requesting'],
  [['aged', 'prepareKeyDone', 'issued', 'timeout'], 'requesting'],
  [['ended', 'young'], 'fresh'],
  [['ended', 'aged'], 'due'],
] as const)('a step that fails is taken again: %j → %s', (events, state) =>
  expect(trace(fresh, ...events).state.state).toBe(state),
)

describe('age, by the clock of the cloud', () => {
  test.each([
    [0, 'young'],
    [30 * DAY_MS, 'young'],
    [30 * DAY_MS + 1, 'aged'],
    [60 * DAY_MS - 1, 'aged'],
    [60 * DAY_MS, 'ended'],
    [-1, 'young'],
  ] as const)('after %i ms: %s', (ms, age) =>
    expect(ageOf(validity, validity.issuedAt + ms, 30 * DAY_MS)).toBe(age),
  )

  test('one that would end before it is old enough is rolled all the same', () => {
    expect(ageOf(validity, validity.issuedAt + 45 * DAY_MS, 90 * DAY_MS)).toBe('young')
    expect(ageOf(validity, validity.issuedAt + 45 * DAY_MS + 1, 90 * DAY_MS)).toBe('aged')
  })
})
