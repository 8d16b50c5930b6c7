import { describe, expect, test } from 'vitest'
import type { Place } from '../../../src/cloud/policy/risk.ts'
import { SignInRisk, type SignInRiskOptions } from '../../../src/cloud/policy/sign-in-risk.ts'

const HOUR = 3_600_000
const START = Date.parse('2026-06-01T10:00:00Z')
const PLACES: Readonly<Record<string, Place>> = {
  '192.0.2.7': { country: 'DE', latitude: 52.52, longitude: 13.4 },
  '192.0.2.99': { country: 'DE', latitude: 52.5, longitude: 13.3 },
  '203.0.113.9': { country: 'DE', latitude: 48.14, longitude: 11.58 },
  '198.51.100.4': { country: 'AU', latitude: -33.87, longitude: 151.21 },
  '198.51.101.4': { country: 'PL', latitude: 52.4, longitude: 16.9 },
}
const locate = (address: string) => PLACES[address]

function world(options: SignInRiskOptions = {}) {
  const risk = new SignInRisk({ locate, ...options })
  const event = (address: string, time: number, subject = 'alice', tenantId = 'contoso') =>
    ({ tenantId, applicationId: 'vault', subject, address, time }) as const
  return {
    risk,
    signIn: (...at: Parameters<typeof event>) =>
      risk.write({ ...event(...at), type: 'sign-in.signed-in', outcome: 'success' }),
    fail: (address: string, time: number, reason = 'code-refused', subject?: string) =>
      risk.write({
        ...{ type: 'sign-in.denied', outcome: 'refused', reason },
        ...{ tenantId: 'contoso', address, time, subject },
      }),
    reasons: (address: string, now = START, subject = 'alice', tenantId = 'contoso') =>
      risk.assess({ tenantId, subject, address, place: locate(address), now }).reasons,
    level: (address: string, now = START) =>
      risk.assess({ tenantId: 'contoso', subject: 'alice', address, place: locate(address), now })
        .level,
  }
}

describe('a user', () => {
  test('who was never seen is not unusual', () =>
    expect(
      world().risk.assess({
        tenantId: 'c',
        subject: 'a',
        address: '192.0.2.7',
        place: undefined,
        now: 0,
      }),
    ).toEqual({
      level: 'none',
      reasons: [],
    }))

  test('who comes from where they were is not unusual', () => {
    const { signIn, reasons } = world()
    signIn('192.0.2.7', START)
    expect(reasons('192.0.2.7')).toEqual([])
    expect(reasons('192.0.2.99')).toEqual([])
    expect(reasons('::ffff:192.0.2.7')).toEqual([])
  })

  test.each([
    ['another network', '203.0.113.9', 5, ['new-network'], 'low'],
    ['another country', '198.51.101.4', 5, ['new-network', 'new-country'], 'medium'],
    [
      'the other side of the world, in a day and a half',
      '198.51.100.4',
      36,
      ['new-network', 'new-country'],
      'medium',
    ],
    [
      'the other side of the world, in five hours',
      '198.51.100.4',
      5,
      ['new-network', 'new-country', 'impossible-travel'],
      'high',
    ],
    ['somewhere that no look-up knows', '198.51.102.4', 5, ['new-network'], 'low'],
  ])('who comes from %s', (_, address, hours, expected, level) => {
    const it = world()
    it.signIn('192.0.2.7', START)
    expect(it.reasons(address, START + hours * HOUR)).toEqual(expected)
    expect(it.level(address, START + hours * HOUR)).toBe(level)
  })

  test('who signed in there is at home there from then on', () => {
    const { signIn, reasons } = world()
    signIn('192.0.2.7', START)
    signIn('198.51.100.4', START + 36 * HOUR)
    expect(reasons('198.51.100.4', START + 37 * HOUR)).toEqual([])
    expect(reasons('192.0.2.7', START + 72 * HOUR)).toEqual([])
    // … but cannot be in both.
    expect(reasons('192.0.2.7', START + 37 * HOUR)).toEqual(['impossible-travel'])
  })

  test('is one of a tenant: the same subject elsewhere is somebody else', () => {
    const { signIn, reasons } = world()
    signIn('192.0.2.7', START)
    expect(reasons('198.51.100.4', START, 'alice', 'fabrikam')).toEqual([])
    expect(reasons('198.51.100.4', START, 'bob')).toEqual([])
  })

  test('whose address is not known is not unusual by it', () => {
    const { signIn, reasons } = world()
    signIn('192.0.2.7', START)
    signIn('unknown', START)
    expect(reasons('unknown')).toEqual([])
    expect(reasons('192.0.2.7')).toEqual([])
  })

  test('without a look-up is judged by networks alone', () => {
    const risk = new SignInRisk()
    risk.write({
      ...{ type: 'sign-in.signed-in', outcome: 'success', time: START },
      ...{ tenantId: 'contoso', subject: 'alice', address: '192.0.2.7' },
    })
    const query = { tenantId: 'contoso', subject: 'alice', place: undefined, now: START }
    expect(risk.assess({ ...query, address: '198.51.100.4' }).reasons).toEqual(['new-network'])
  })
})

describe('many failures', () => {
  test('from one address count for whoever comes from there', () => {
    const { fail, reasons } = world({ failures: 3, failureMs: HOUR })
    for (const minute of [0, 1]) fail('192.0.2.7', START + minute * 60_000)
    expect(reasons('192.0.2.7', START + 120_000)).toEqual([])
    fail('192.0.2.7', START + 120_000)
    expect(reasons('192.0.2.7', START + 120_000)).toEqual(['many-failures'])
    expect(reasons('192.0.2.99', START + 120_000)).toEqual([])
  })

  test('are forgotten after their time', () => {
    const { fail, reasons } = world({ failures: 2, failureMs: HOUR })
    fail('192.0.2.7', START)
    fail('192.0.2.7', START + 1000)
    expect(reasons('192.0.2.7', START + HOUR - 1)).toEqual(['many-failures'])
    expect(reasons('192.0.2.7', START + HOUR)).toEqual([])
  })

  test('of one user count wherever they come from', () => {
    const { fail, reasons } = world({ failures: 2 })
    fail('203.0.113.9', START, 'policy-denies', 'alice')
    fail('198.51.100.4', START, 'policy-denies', 'alice')
    expect(reasons('192.0.2.7')).toEqual(['many-failures'])
    expect(reasons('192.0.2.7', START, 'bob')).toEqual([])
  })

  test('are not those of users who change their mind, nor of an issuer that is down', () => {
    const { risk, fail, reasons } = world({ failures: 1 })
    const mindChanged = ['access-denied', 'attempt-expired', 'attempt-missing', 'attempt-used']
    for (const reason of mindChanged) fail('192.0.2.7', START, reason)
    // An image of another site is enough for it.
    fail('192.0.2.7', START, 'callback-malformed')
    risk.write({
      ...{ type: 'sign-in.denied', outcome: 'failed', reason: 'issuer-unavailable' },
      ...{ address: '192.0.2.7', time: START },
    })
    expect(reasons('192.0.2.7')).toEqual([])
  })
})

test('networks of anonymising services are known by a list', () => {
  const { reasons, level } = world({
    anonymisers: ['198.51.100.0/24'],
    levels: { anonymiser: 'high' },
  })
  expect(reasons('198.51.100.4')).toEqual(['anonymiser'])
  expect(level('198.51.100.4')).toBe('high')
  expect(() => new SignInRisk({ anonymisers: ['tor'] })).toThrow(
    'anonymisers[0]: must be a network',
  )
})

test('memory is bounded, and whoever was heard of longest ago is forgotten first', () => {
  const { signIn, fail, reasons } = world({ remembered: 3, failures: 1 })
  signIn('192.0.2.7', START, 'a')
  signIn('192.0.2.7', START, 'b')
  signIn('192.0.2.7', START, 'c')
  signIn('192.0.2.7', START, 'a')
  signIn('192.0.2.7', START, 'd')
  const known = ['a', 'b', 'c', 'd'].filter(
    (one) => reasons('203.0.113.9', START + HOUR, one).length > 0,
  )
  expect(known).toEqual(['a', 'c', 'd'])
  for (let i = 0; i < 10; i += 1) fail(`192.0.3.${i}`, START)
  const failed = Array.from({ length: 10 }, (_, i) => reasons(`192.0.3.${i}`, START, 'z').length)
  expect(failed).toEqual([0, 0, 0, 0, 0, 0, 0, 1, 1, 1])
})

test('of one user no more than a few networks are remembered', () => {
  const { signIn, reasons } = world()
  for (let i = 0; i < 20; i += 1) signIn(`10.0.${i}.1`, START)
  expect(reasons('10.0.3.1')).toEqual(['new-network'])
  expect(reasons('10.0.4.1')).toEqual([])
})
