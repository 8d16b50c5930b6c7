import { describe, expect, test } from 'vitest'
import { memoryAudit } from '../../../src/cloud/audit/audit.ts'
import type { Caller } from '../../../src/cloud/identity/caller.ts'
import { directoryOf } from '../directory/directory-of.ts'
import {
  AccessControl,
  type AccessControlOptions,
} from '../../../src/cloud/policy/access-control.ts'
import type { RiskQuery } from '../../../src/cloud/policy/risk.ts'
import { publishedOf } from '../../../src/cloud/directory/published.ts'

const START = Date.parse('2026-06-01T10:00:00Z')
const allow = { id: 'a', effect: 'allow' }
const deny = { id: 'd', effect: 'deny', reason: 'No.' }

function world(policies: object[] | undefined, options: Partial<AccessControlOptions> = {}) {
  const clock = { wall: START }
  const audit = memoryAudit()
  const access = new AccessControl({ audit, clocks: { wallClock: () => clock.wall }, ...options })
  const directory = directoryOf({
    tenants: [{ id: 'contoso', issuer: 'https://sts.example', registrars: { audience: 'x' } }],
    groups: [{ id: 'default', tenantId: 'contoso' }],
    applications: [
      {
        ...{ id: 'vault', groupId: 'default', preAuthentication: 'oidc', client: { id: 'v' } },
        externalUrl: 'https://vault.example/',
        internalUrl: 'http://10.0.0.1/',
        ...(policies && { policies }),
      },
    ],
  })
  const application = publishedOf(directory.application('vault')!)
  const caller = (rest: Partial<Caller> = {}): Caller => ({
    id: 'session-1',
    user: { subject: 'alice', issuer: 'https://sts.example', groups: ['staff'] },
    ...rest,
  })
  return {
    ...{ clock, audit, access, application, caller },
    ask: (who: Caller, address = '192.0.2.7') =>
      access.onRequest(application, who, { id: 'request-1', address }),
  }
}

test('where there is nothing to decide everybody passes, without a word', () => {
  const { ask, caller, audit } = world(undefined)
  expect(ask(caller())).toEqual({ kind: 'allow' })
  expect(audit.events).toEqual([])
})

test('for the same session and address nobody is asked twice', () => {
  let assessed = 0
  const assess = () => ({ level: 'none', reasons: [], n: (assessed += 1) }) as const
  const { ask, caller, clock } = world([allow], { risk: { assess } })
  const session = caller()
  const first = ask(session)
  expect([ask(session) === first, assessed]).toEqual([true, 1])
  // By turns, as with IPv4 and IPv6, both are remembered.
  for (let i = 0; i < 6; i += 1) ask(session, i % 2 === 0 ? '2001:db8::1' : '192.0.2.7')
  expect(assessed).toBe(2)
  clock.wall += 60_000
  ask(session)
  expect(assessed).toBe(3)
  ask(caller())
  expect(assessed).toBe(4)
})

test('of one session a few addresses are remembered, not all', () => {
  const queries: RiskQuery[] = []
  const assess = (query: RiskQuery) => {
    queries.push(query)
    return { level: 'none', reasons: [] } as const
  }
  const { ask, caller } = world([allow], { risk: { assess } })
  const session = caller()
  for (let i = 0; i < 8; i += 1) ask(session, `192.0.2.${i}`)
  ask(session, '192.0.2.7')
  expect(queries).toHaveLength(8)
  ask(session, '192.0.2.0')
  expect(queries).toHaveLength(9)
})

describe('what is written down', () => {
  test('a denial, once for a session as long as nothing changes', () => {
    const { ask, caller, audit, clock } = world(
      [allow, { ...deny, when: { who: { groups: ['staff'] } } }],
      {
        locate: () => ({ country: 'DE' }),
      },
    )
    const session = caller()
    ask(session)
    clock.wall += 120_000
    ask(session)
    expect(audit.events).toEqual([
      {
        ...{ time: START, type: 'access.decided', outcome: 'refused', reason: 'policy-denies' },
        ...{ tenantId: 'contoso', applicationId: 'vault', subject: 'alice' },
        ...{ sessionId: 'session-1', requestId: 'request-1', address: '192.0.2.7' },
        detail: {
          ...{ effect: 'deny', policy: 'd' },
          matched: [
            { policy: 'a', effect: 'allow', mode: 'enforced' },
            { policy: 'd', effect: 'deny', mode: 'enforced' },
          ],
        },
      },
    ])
  })

  test('what a policy that only reports would have done', () => {
    const { ask, caller, audit } = world([allow, { ...deny, mode: 'report-only' }])
    expect(ask(caller()).kind).toBe('allow')
    expect(audit.events).toMatchObject([
      {
        type: 'access.decided',
        outcome: 'success',
        detail: { effect: 'allow', matched: [{}, { policy: 'd' }] },
      },
    ])
  })

  test('nothing of what is allowed without more', () => {
    const { ask, caller, audit } = world([
      allow,
      { id: 's', effect: 'step-up', stepUp: { acrValues: ['mfa'] } },
    ])
    expect(ask(caller({ strength: 'mfa' })).kind).toBe('allow')
    expect(audit.events).toEqual([])
  })

  test('what is wrong with broken policies, quoting nothing of them', () => {
    const { access, application, caller, audit } = world([allow])
    const broken = (policies: unknown) =>
      publishedOf({ ...application.application, access: { locations: [], policies } as never })
    const request = { id: 'r', address: '192.0.2.7' }
    const network = { ...allow, applications: 'all', when: { from: { networks: ['10.6.6.6/8'] } } }
    const shape = { ...allow, applications: 'all', effect: 'a-secret' }
    for (const policy of [network, shape])
      expect(access.onRequest(broken([policy]), caller(), request)).toMatchObject({
        ...{ kind: 'deny', answer: { status: 500, code: 'policy-broken', source: 'policy' } },
      })
    expect(audit.events).toMatchObject([
      {
        ...{ outcome: 'failed', reason: 'policy-broken' },
        detail: { because: 'policies[0].when.from.networks[0]: has bits set beyond its prefix' },
      },
      { outcome: 'failed', detail: { because: 'ValiError' } },
    ])
    expect(JSON.stringify(audit.events)).not.toMatch(/10\.6\.6\.6|a-secret/)
  })
})

test('a look-up that fails has found nothing, and that restricts', () => {
  const fails = () => {
    throw new Error('the database is gone')
  }
  const { ask, caller } = world([{ ...allow, when: { from: { countries: ['DE'] } } }], {
    locate: fails,
  })
  expect(ask(caller())).toMatchObject({ kind: 'deny', answer: { code: 'no-policy-allows' } })
  const risky = world([allow, { ...deny, when: { risk: ['high'] } }], { risk: { assess: fails } })
  expect(risky.ask(risky.caller())).toMatchObject({
    kind: 'deny',
    answer: { code: 'policy-denies' },
  })
})

test('the assessor is told who comes from where', () => {
  const queries: RiskQuery[] = []
  const place = { country: 'DE', latitude: 52.5, longitude: 13.4 }
  const { ask, caller } = world([allow], {
    locate: () => place,
    risk: { assess: (query) => (queries.push(query), { level: 'none', reasons: [] }) },
  })
  ask(caller())
  expect(queries).toEqual([
    { tenantId: 'contoso', subject: 'alice', address: '192.0.2.7', place, now: START },
  ])
})
